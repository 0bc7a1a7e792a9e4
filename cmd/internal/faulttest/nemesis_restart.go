package faulttest

func restartNemeses() []Nemesis { return nil }
