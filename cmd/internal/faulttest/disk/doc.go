// Package disk gives a fault test a small file system of its own, which can be
// full or stand still.
//
//	d, err := disk.New(dir, 16<<20, disk.Memory) // errors.Is(err, disk.ErrUnavailable): skip
//	defer d.Close()
//	err = d.Fill()   // no byte is left
//	err = d.Free()
//
// One of kind Memory is a tmpfs. One of kind Freezable is ext4 in a file: Freeze
// stops it as a disk that does not answer would. Writers wait in the kernel
// where no signal reaches them, those of mapped files too; readers read on. Thaw
// lets them go on as if nothing had happened.
//
// Mounting is for root. A shell waits beside the test and tidies up when the
// test ends without Close: processes stuck on a frozen disk could not even be
// killed.
package disk
