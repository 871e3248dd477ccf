module github.com/holdfast-sync/holdfast

go 1.26
