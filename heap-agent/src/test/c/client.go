// SPDX-License-Identifier: Apache-2.0

// client NODE: allocates buffers of /dev/dma_heap in several goroutines at once, and fills them.
package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

const (
	allocate = 0xC0184800
	workers  = 8
	buffers  = 50
	size     = 64 << 10
)

type allocation struct {
	length    uint64
	fd        uint32
	fdFlags   uint32
	heapFlags uint64
}

func use(node uintptr) error {
	data := allocation{length: size, fdFlags: syscall.O_RDWR | syscall.O_CLOEXEC}
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, node, allocate, uintptr(unsafe.Pointer(&data))); e != 0 {
		return fmt.Errorf("allocation: %v", e)
	}
	defer syscall.Close(int(data.fd))
	bytes, e := syscall.Mmap(int(data.fd), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if e != nil {
		return fmt.Errorf("mmap: %v", e)
	}
	for i := range bytes {
		if bytes[i] != 0 {
			return fmt.Errorf("byte %d is %d", i, bytes[i])
		}
		bytes[i] = 1
	}
	return syscall.Munmap(bytes)
}

func main() {
	node, e := os.Open(os.Args[1])
	if e != nil {
		fmt.Fprintln(os.Stderr, e)
		os.Exit(2)
	}
	results := make(chan error)
	for worker := 0; worker < workers; worker++ {
		go func() {
			for i := 0; i < buffers; i++ {
				results <- use(node.Fd())
			}
		}()
	}
	failed := 0
	for i := 0; i < workers*buffers; i++ {
		if e := <-results; e != nil {
			fmt.Println(e)
			failed++
		}
	}
	fmt.Printf("%d of %d buffers failed\n", failed, workers*buffers)
	if failed != 0 {
		os.Exit(1)
	}
}
