package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v2"
)

// finding is one figure of a scenario, over its turns.
type finding struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"`
	Min    float64   `json:"min"`
	Median float64   `json:"median"`
	Max    float64   `json:"max"`
}

// findings collects a scenario's figures in the order in which they come.
type findings struct{ list []*finding }

func (f *findings) add(name string, value float64) {
	i := slices.IndexFunc(f.list, func(x *finding) bool { return x.Name == name })
	if i < 0 {
		f.list = append(f.list, &finding{Name: name})
		i = len(f.list) - 1
	}
	f.list[i].Values = append(f.list[i].Values, value)
}

// print writes the figures, each turn's and what lies between.
func (f *findings) print(c *cli.Context) error {
	for _, x := range f.list {
		x.Min, x.Median, x.Max = spreadOf(slices.Clone(x.Values))
	}
	if c.Bool("json") {
		return json.NewEncoder(os.Stdout).Encode(f.list)
	}
	for _, x := range f.list {
		fmt.Printf("%-52s median %10.4g   min %10.4g   max %10.4g  ", x.Name, x.Median, x.Min, x.Max)
		for _, v := range x.Values {
			fmt.Printf(" %.4g", v)
		}
		fmt.Println()
	}
	return nil
}
