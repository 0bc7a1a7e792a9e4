package membership

import (
	"reflect"
	"strings"
	"testing"
)

// TestClusterDoesNotShowTheGossipLibrary, whose types and callbacks are nobody
// else's business.
func TestClusterDoesNotShowTheGossipLibrary(t *testing.T) {
	cluster := reflect.TypeFor[*Cluster]()
	for i := range cluster.NumMethod() {
		m := cluster.Method(i)
		if strings.HasPrefix(m.Name, "Notify") || strings.Contains(m.Type.String(), "memberlist.") {
			t.Errorf("%s: %s", m.Name, m.Type)
		}
	}
}
