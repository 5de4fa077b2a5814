// npm standardwebhooks, unmodified: whether it verifies each message on the standard input, a JSON
// object a line.
import { createInterface } from 'node:readline';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, body, headers } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ message: new Webhook(secret).verify(body, headers) }));
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    console.log(JSON.stringify({ message: null }));
  }
}
