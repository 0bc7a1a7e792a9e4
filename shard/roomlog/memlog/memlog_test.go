package memlog_test

import (
	"errors"
	"sync"
	"testing"

	"positivity-exchange/shard/roomlog"
	"positivity-exchange/shard/roomlog/memlog"
	"positivity-exchange/shard/roomlog/roomlogtest"
)

var stores sync.Map // spec -> *memlog.Store

func implementation() roomlogtest.Implementation {
	return roomlogtest.Implementation{
		Fresh: func(t *testing.T) string {
			t.Cleanup(func() { stores.Delete(t.Name()) }) // it may run again
			return t.Name()
		},
		Open: func(spec string) (roomlog.Log, error) {
			store, _ := stores.LoadOrStore(spec, memlog.NewStore())
			return store.(*memlog.Store).Open(), nil
		},
	}
}

func TestMain(m *testing.M) { roomlogtest.Main(m, implementation()) }

func TestConformance(t *testing.T) { roomlogtest.Test(t, implementation()) }

func TestCutAndLostAnswers(t *testing.T) {
	store, ctx := memlog.NewStore(), t.Context()
	a, b := store.Open(), store.Open()
	a.Cut(true)
	if _, err := a.Acquire(ctx, 0, roomlog.Owner{}, roomlog.Owner{Boot: "a"}); !errors.Is(err, roomlog.ErrRefused) {
		t.Errorf("cut: %v", err)
	}
	a.Cut(false)
	a.LoseAnswers(1)
	if _, err := a.Acquire(ctx, 0, roomlog.Owner{}, roomlog.Owner{Boot: "a"}); !errors.Is(err, roomlog.ErrUnknown) {
		t.Errorf("a lost answer: %v", err)
	}
	if o, err := b.Owner(ctx, 0); err != nil || o.Boot != "a" {
		t.Errorf("%+v, %v", o, err)
	}
}
