// Ask a lane for a signature: go run publish.go STORE001-LANE01 TXN-1001
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

var client = http.Client{Timeout: 5 * time.Second}

// publish publishes an event, once however often it is sent.
func publish(event map[string]any) (string, error) {
	base := os.Getenv("SSE_URL")
	if base == "" {
		base = "http://localhost:3000"
	}
	body, err := json.Marshal(event)
	if err != nil {
		return "", err
	}
	for attempt := 1; attempt <= 5; attempt++ {
		request, err := http.NewRequest("POST", base+"/api/v1/events", bytes.NewReader(body))
		if err != nil {
			return "", err
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+os.Getenv("ADMIN_TOKEN"))
		// Without an answer it may have been taken: with the same id another attempt is safe.
		if answer, err := client.Do(request); err == nil {
			said, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if answer.StatusCode < 300 {
				return string(said), nil
			}
			if answer.StatusCode < 500 && answer.StatusCode != 429 {
				// Another attempt would be refused, too; `error` says what to change.
				return "", errors.New(string(said))
			}
		}
		time.Sleep(time.Duration(attempt) * time.Second)
	}
	return "", errors.New(base + " took no event")
}

func main() {
	lane, transaction := os.Args[1], os.Args[2]
	answer, err := publish(map[string]any{
		"clientName": lane,
		"action":     "signature",
		"eventId":    "signature-" + transaction,
		"ttlMs":      60000,
		"data":       map[string]any{"transactionId": transaction, "amount": 99.99},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer)
}
