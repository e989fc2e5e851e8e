<?php
// Ask a lane for a signature: php publish.php STORE001-LANE01 TXN-1001

// Publish an event, once however often it is sent.
function publish(array $event): array
{
    $url = (getenv('SSE_URL') ?: 'http://localhost:3000') . '/api/v1/events';
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => ['Content-Type: application/json', 'Authorization: Bearer ' . getenv('ADMIN_TOKEN')],
        'content' => json_encode($event, JSON_THROW_ON_ERROR),
        'timeout' => 5,
        'ignore_errors' => true,
    ]]);
    for ($attempt = 1; $attempt <= 5; $attempt++) {
        // Without an answer it may have been taken: with the same id another attempt is safe.
        $stream = @fopen($url, 'r', false, $context);
        if ($stream) {
            $status = (int) explode(' ', stream_get_meta_data($stream)['wrapper_data'][0])[1];
            $answer = json_decode(stream_get_contents($stream), true);
            if ($status < 300) {
                return $answer;
            }
            if ($status < 500 && $status !== 429) {
                // Another attempt would be refused, too.
                throw new InvalidArgumentException($answer['error']);
            }
        }
        sleep($attempt);
    }
    throw new RuntimeException("$url took no event.");
}

[, $lane, $transaction] = $argv;
$event = [
    'clientName' => $lane,
    'action' => 'signature',
    'eventId' => "signature-$transaction",
    'ttlMs' => 60000,
    'data' => ['transactionId' => $transaction, 'amount' => 99.99],
];
echo publish($event)['state'], "\n";
