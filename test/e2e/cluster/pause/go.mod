module usage-sidecar/test/e2e/cluster/pause

go 1.26.0
