// Ask a lane for a signature: java Publish.java STORE001-LANE01 TXN-1001
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

public class Publish {
    static final String BASE = System.getenv().getOrDefault("SSE_URL", "http://localhost:3000");
    static final String TOKEN = System.getenv().getOrDefault("ADMIN_TOKEN", "");
    static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    // Publish an event, once however often it is sent.
    static String publish(String event) throws InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(BASE + "/api/v1/events"))
            .timeout(Duration.ofSeconds(5))
            .header("Content-Type", "application/json")
            .header("Authorization", "Bearer " + TOKEN)
            .POST(HttpRequest.BodyPublishers.ofString(event))
            .build();
        for (int attempt = 1; attempt <= 5; attempt++) {
            try {
                HttpResponse<String> answer = CLIENT.send(request, HttpResponse.BodyHandlers.ofString());
                int status = answer.statusCode();
                if (status < 300) {
                    return answer.body();
                }
                if (status < 500 && status != 429) {
                    // Another attempt would be refused, too; `error` says what to change.
                    throw new IllegalArgumentException(answer.body());
                }
            } catch (IOException noAnswer) {
                // It may have been taken: with the same id another attempt is safe.
            }
            Thread.sleep(1000L * attempt);
        }
        throw new IllegalStateException(BASE + " took no event.");
    }

    public static void main(String[] arguments) throws InterruptedException {
        String lane = arguments[0], transaction = arguments[1];
        // With a library for JSON this is an object.
        String event = """
            {"clientName": "%s", "action": "signature", "eventId": "signature-%s", "ttlMs": 60000,
             "data": {"transactionId": "%s", "amount": 99.99}}""".formatted(lane, transaction, transaction);
        System.out.println(publish(event));
    }
}
