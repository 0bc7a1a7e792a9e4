package faulttest

func freezeNemeses() []Nemesis { return nil }
