// Ask a lane for a signature: dotnet run publish.cs STORE001-LANE01 TXN-1001 (.NET 10)
using System.Net;
using System.Text;
using System.Text.Json.Nodes;

var url = (Environment.GetEnvironmentVariable("SSE_URL") ?? "http://localhost:3000") + "/api/v1/events";
var client = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
client.DefaultRequestHeaders.Add("Authorization", "Bearer " + Environment.GetEnvironmentVariable("ADMIN_TOKEN"));

// Publish an event, once however often it is sent.
async Task<JsonNode> Publish(JsonObject message)
{
    for (var attempt = 1; attempt <= 5; attempt++)
    {
        try
        {
            var body = new StringContent(message.ToJsonString(), Encoding.UTF8, "application/json");
            using var answer = await client.PostAsync(url, body);
            var said = await answer.Content.ReadAsStringAsync();
            if (answer.IsSuccessStatusCode)
                return JsonNode.Parse(said)!;
            if (answer.StatusCode < HttpStatusCode.InternalServerError && answer.StatusCode != HttpStatusCode.TooManyRequests)
                // Another attempt would be refused, too.
                throw new ArgumentException((string?)JsonNode.Parse(said)!["error"]);
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
        {
            // It may have been taken: with the same id another attempt is safe.
        }
        await Task.Delay(TimeSpan.FromSeconds(attempt));
    }
    throw new TimeoutException($"{url} took no event.");
}

var (lane, transaction) = (args[0], args[1]);
var signature = new JsonObject
{
    ["clientName"] = lane,
    ["action"] = "signature",
    ["eventId"] = $"signature-{transaction}",
    ["ttlMs"] = 60000,
    ["data"] = new JsonObject { ["transactionId"] = transaction, ["amount"] = 99.99 },
};
Console.WriteLine((await Publish(signature))["state"]);
