// Goroutines on threads, channels, timers, preemption by signal, files.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

func main() {
	var group sync.WaitGroup
	var lock sync.Mutex
	total := 0
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for k := 0; k < 100; k++ {
				lock.Lock()
				total++
				lock.Unlock()
			}
		}()
	}
	group.Wait()
	fmt.Println("goroutines", total)
	numbers := make(chan int)
	go func() {
		for i := 0; i < 1000; i++ {
			numbers <- i
		}
		close(numbers)
	}()
	sum := 0
	for number := range numbers {
		sum += number
	}
	fmt.Println("channel", sum)
	for i := 0; i < runtime.GOMAXPROCS(0); i++ {
		go func() {
			for {
			}
		}()
	}
	select {
	case <-time.After(20 * time.Millisecond):
		fmt.Println("timer")
	}
	runtime.GC()
	folder, _ := os.MkdirTemp("", "go")
	os.WriteFile(folder+"/file", []byte("text"), 0o600)
	text, err := os.ReadFile(folder + "/file")
	fmt.Println("file", string(text), err)
	os.RemoveAll(folder)
	defer func() { fmt.Println("recovered", recover() != nil) }()
	var none *int
	*none = 1
}
