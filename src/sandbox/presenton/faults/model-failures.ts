/**
 * The recorded error texts of failing models: A and T pass on the provider's text, B has its own
 * text and a status.
 */

type ModelFailure = { raw: string; friendly: string; status: number }

export const modelFailures = {
  '401': {
    raw:
      "OpenAI API error: Error code: 401 - {'error': {'message': 'Incorrect API key provided: sk-fak*****key. Find yours in your " +
      "account.', 'type': 'invalid_request_error', 'param': None, 'code': 'invalid_api_key'}}",
    friendly: 'Invalid API key. Please verify your API key and try again.',
    status: 401,
  },
  '429': {
    raw:
      "OpenAI API error: Error code: 429 - {'error': {'message': 'Rate limit reached for fake-model on requests per min (RPM): " +
      "Limit 3, Used 3, Requested 1.', 'type': 'requests', 'param': None, 'code': 'rate_limit_exceeded'}}",
    friendly: 'AI provider API request is temporarily rate limited. Please wait and try again.',
    status: 429,
  },
  '500': {
    raw:
      "OpenAI API error: Error code: 500 - {'error': {'message': 'The server had an error while processing your request.', 'type': " +
      "'server_error', 'param': None, 'code': None}}",
    friendly: 'AI provider API request failed. Please try again.',
    status: 500,
  },
  connection: {
    raw: 'OpenAI API error: Connection error.',
    friendly: 'Connection error.',
    status: 503,
  },
  empty: {
    raw: 'LLM API error: 400: LLM did not return any content',
    friendly: 'LLM did not return any content',
    status: 400,
  },
  garbage: {
    raw: 'LLM API error: Expecting value: line 1 column 1 (char 0)',
    friendly: 'Expecting value: line 1 column 1 (char 0)',
    status: 500,
  },
  /** Not recorded: secrets that a provider's text may contain. Tests check that none leaks. */
  secrets: secretText(),
} as const satisfies Record<string, ModelFailure>

/** The secrets of the `…-secrets` faults that occur in the text. */
export function secretsIn(text: string): string[] {
  const secrets = [
    'sk-proj-SECRET0123456789abcdef',
    'hunter2',
    'llm.internal.example',
    'AIzaSECRET0123',
    'eyJhbGciOi.SECRET.sig',
    '/app/servers',
  ]
  return secrets.filter((secret) => text.includes(secret))
}

function secretText(): ModelFailure {
  const text =
    'Error code: 401 - Incorrect API key provided: sk-proj-SECRET0123456789abcdef at ' +
    'https://operator:hunter2@llm.internal.example:8443/v1/chat?api_key=AIzaSECRET0123 (Authorization: Bearer eyJhbGciOi.SECRET.sig), ' +
    'File "/app/servers/fastapi/services/llm_client.py", line 712'
  return { raw: text, friendly: text, status: 500 }
}
