// Sends files by Go's mime/multipart and net/http: URL FOLDER NAME...
package main

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
)

func main() {
	for _, name := range os.Args[3:] {
		content, err := os.ReadFile(filepath.Join(os.Args[2], name))
		if err != nil {
			panic(err)
		}
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, _ := form.CreateFormFile("file", name)
		part.Write(content)
		form.Close()
		request, _ := http.NewRequest("POST", os.Args[1], &body)
		request.Header.Set("Authorization", "Bearer TOKEN")
		request.Header.Set("Content-Type", form.FormDataContentType())
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(err)
		}
		answer.Body.Close()
	}
}
