package profile

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// ofCluster begins the key of a cluster, which no address does.
const ofCluster = "cluster "

// unnamed is what a cluster goes by whose routers, of an earlier version, call it
// nothing. No two of them are known to be the same.
const unnamed = "unnamed"

// servers tells which place a router, or a cluster, belongs to.
type servers struct {
	Version int               `json:"version"`
	Places  map[string]string `json:"places"`
}

func serversPath() string {
	return filepath.Join(Home("XDG_STATE_HOME", ".local/state"), "servers.json")
}

func readServers() (servers, error) {
	var s servers
	err := read(serversPath(), &s, func() int { return s.Version })
	return s, err
}

// cluster is whose a place is, "" if no visit told.
func (s servers) cluster(place string) string {
	if _, of, ok := strings.Cut(place, " "); ok {
		return of // no address has a space: see Place
	}
	for key, p := range s.Places {
		if cluster, ok := strings.CutPrefix(key, ofCluster); ok && p == place {
			return cluster
		}
	}
	return ""
}

// LastPlace is where these routers led last: what to show before one of them has
// answered.
func LastPlace(routers []string) string {
	s, _ := readServers() // where it cannot be read nothing is known
	for _, r := range routers {
		if place, ok := s.Places[normal(r)]; ok {
			return place
		}
	}
	return own(routers)
}

// Place is what a user's profile is named after, beside the user: one name for
// all routers of a cluster, so that what was written beside one that is gone is
// there beside another, and never that of another cluster, whichever answered at
// these routers' addresses before: what was written for one must not be sent to
// the other. The cluster is what the router that answered calls it. A place that is
// not known to be anybody's is the first's that answers there: files of earlier
// versions do not tell.
func Place(user string, routers []string, cluster string) string {
	s, _ := readServers()
	fits := func(place string) bool {
		of := cmp.Or(look(user, place).cluster, s.cluster(place))
		return of == "" || of == cmp.Or(cluster, unnamed)
	}
	for _, r := range routers {
		if place, ok := s.Places[normal(r)]; ok && fits(place) {
			return place
		}
	}
	place := own(routers)
	if known, ok := s.Places[ofCluster+cluster]; ok && fits(known) && !(fits(place) && look(user, place).visited) {
		return known
	}
	if fits(place) {
		return place
	}
	return place + " " + cmp.Or(cluster, unnamed)
}

// SetPlace notes that the routers lead to a place today, and so does the cluster,
// if it is not "". A place that is another cluster's stays that one's.
func SetPlace(place string, routers []string, cluster string) error {
	s, err := readServers()
	if err != nil {
		return fmt.Errorf("%w (it is left as it is; what you write beside one router is not shown beside another)", err)
	}
	if of := s.cluster(place); of != "" && of != cmp.Or(cluster, unnamed) {
		return nil
	}
	before := maps.Clone(s.Places)
	if s.Places == nil {
		s.Places = map[string]string{}
	}
	for _, r := range routers {
		if r != "" {
			s.Places[normal(r)] = place
		}
	}
	if cluster != "" {
		s.Places[ofCluster+cluster] = place
	}
	if maps.Equal(before, s.Places) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(serversPath()), 0o700); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	s.Version = version
	return write(serversPath(), s)
}

// own is the place of routers of which nothing is known.
func own(routers []string) string { return normal(strings.Join(routers, ",")) }

// normal spells an address, or several, in one way.
func normal(router string) string {
	return strings.ReplaceAll(strings.ReplaceAll(router, " ", ""), "localhost", "127.0.0.1") // as px up calls it
}

// glance is what a profile that is not open tells of itself.
type glance struct {
	cluster string
	visited bool // has anything that a visit left
}

func look(user, place string) glance {
	var f file
	dir := filepath.Join(Home("XDG_STATE_HOME", ".local/state"), folder(user+"@"+place))
	if read(filepath.Join(dir, "client.json"), &f, func() int { return f.Version }) != nil {
		return glance{visited: true} // it is not to be passed over in silence
	}
	return glance{f.Cluster, f.Active != ""}
}
