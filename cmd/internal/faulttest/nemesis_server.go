package faulttest

func serverNemeses() []Nemesis { return nil }
