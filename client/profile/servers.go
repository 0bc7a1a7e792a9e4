package profile

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"positivity-exchange/client/state"
)

// ofCluster begins the key of a cluster, which no address does.
const ofCluster = "cluster "

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

// Place is what a user's profile is named after, beside the user: one name for
// all routers of a cluster, so that what was written beside one that is gone is
// there beside another. These are the routers to be asked, and what they call
// their cluster, "" as long as none has answered. A cluster that is met for the
// first time is named after the routers.
func Place(user string, routers []string, cluster string) string {
	s, _ := readServers() // where it cannot be read nothing is known
	for _, r := range routers {
		if place, ok := s.Places[normal(r)]; ok {
			return place
		}
	}
	place := normal(strings.Join(routers, ","))
	if known, ok := s.Places[ofCluster+cluster]; ok && !visited(user, place) {
		return known
	}
	return place
}

// SetPlace notes that the routers, and the cluster if it is not "", belong to a
// place. One that is another cluster's stays that one's alone: an address can lead
// elsewhere today.
func SetPlace(place string, routers []string, cluster string) error {
	s, err := readServers()
	if err != nil {
		return fmt.Errorf("%w (it is left as it is; what you write beside one router is not shown beside another)", err)
	}
	before := maps.Clone(s.Places)
	if s.Places == nil {
		s.Places = map[string]string{}
	}
	for key, p := range s.Places {
		if p == place && strings.HasPrefix(key, ofCluster) && key != ofCluster+cluster {
			return nil
		}
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

// normal spells an address, or several, in one way.
func normal(router string) string {
	return strings.ReplaceAll(strings.ReplaceAll(router, " ", ""), "localhost", "127.0.0.1") // as px up calls it
}

// visited tells whether a profile has anything that a visit left.
func visited(user, place string) bool {
	var file struct {
		Version int `json:"version"`
		state.Saved
	}
	dir := filepath.Join(Home("XDG_STATE_HOME", ".local/state"), folder(user+"@"+place))
	if read(filepath.Join(dir, "client.json"), &file, func() int { return file.Version }) != nil {
		return true // it is not to be passed over in silence
	}
	return file.Active != ""
}
