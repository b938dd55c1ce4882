// Command pause is the first container of every pod: it holds the pod's namespaces until it is told to end.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// With its parent gone a container's process becomes a child of nobody but the kernel: nothing here has to be reaped,
	// because pods do not share their process namespace unless they ask for it.
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
}
