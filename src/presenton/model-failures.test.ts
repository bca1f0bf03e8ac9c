import { describe, expect, it } from 'vitest'
import { modelFailures } from '../sandbox/presenton/faults/model-failures.ts'
import { modelFailureOf, retryHintSeconds } from './model-failures.ts'

const limits: [string, string, number | undefined][] = [
  ['OpenAI, recorded', modelFailures['429'].raw, undefined],
  ['Presenton 0.9, recorded', modelFailures['429'].friendly, undefined],
  [
    'OpenAI, tokens',
    'Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Used 29500, Requested 900. Please try again in 800ms.',
    1,
  ],
  [
    'OpenAI, per day but soon over',
    'Rate limit reached for gpt-4o on requests per day (RPD): Limit 200, Used 200. Please try again in 7m12s.',
    432,
  ],
  [
    'Anthropic',
    "Error code: 429 - {'type': 'error', 'error': {'type': 'rate_limit_error', 'message': 'This request would exceed your organization’s rate limit of 40,000 input tokens per minute.'}}",
    undefined,
  ],
  [
    'Anthropic, overloaded',
    "Error code: 529 - {'error': {'type': 'overloaded_error', 'message': 'Overloaded'}}",
    undefined,
  ],
  [
    'Google, with its words about billing',
    "429 RESOURCE_EXHAUSTED. {'error': {'code': 429, 'message': 'You exceeded your current quota, please check your plan and billing details. * Quota exceeded for metric: generate_content_free_tier_requests, limit: 10. Please retry in 37.2s.'}}",
    38,
  ],
  [
    'Google, per minute',
    "Quota exceeded for quota metric 'Generate Content API requests per minute' and limit 'GenerateContent request limit per minute for a region'",
    undefined,
  ],
  ['Google, retry info', "RESOURCE_EXHAUSTED 'retryDelay': '12s'", 12],
  ['Google, overloaded', '503 UNAVAILABLE. The model is overloaded. Try again later.', undefined],
  [
    'Azure',
    'Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-02-01 have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after 26 seconds.',
    26,
  ],
  ['Mistral', 'Status 429. Body: {"message":"Requests rate limit exceeded"}', undefined],
  ['Mistral, capacity', 'Service tier capacity exceeded for this model.', undefined],
  [
    'Bedrock',
    'An error occurred (ThrottlingException): Too many tokens, please wait before trying again.',
    undefined,
  ],
  ['Ollama', 'server busy, please try again. maximum pending requests exceeded', undefined],
  ['Groq', 'Rate limit reached for model llama-3.3. Please try again in 1m2.5s.', 63],
  ['Cerebras', 'We’re experiencing high traffic right now! Please try again soon.', undefined],
  ['LiteLLM', 'litellm.RateLimitError: RateLimitError: rate_limit_exceeded', undefined],
  ['Cohere', 'You are using a Trial key, which is limited to 20 API calls / minute.', undefined],
  ['a proxy', 'HTTP 429 Too Many Requests, retry-after: 20', 20],
]

describe("the text of a model's error", () => {
  it.each(limits)('is a limit: %s', (_, text, hint) => {
    expect(modelFailureOf(text)).toBe('limit')
    expect(retryHintSeconds(text)).toBe(hint)
  })

  it.each([
    [
      'OpenAI',
      "Error code: 429 - {'error': {'message': 'You exceeded your current quota, please check your plan and billing details.', 'type': 'insufficient_quota', 'code': 'insufficient_quota'}}",
    ],
    ['Anthropic', 'Your credit balance is too low to access the Anthropic API.'],
    ['DeepSeek', 'Error code: 402 - Insufficient Balance'],
    ['OpenRouter', 'This request requires more credits. Payment required.'],
    ['a limit that ends in hours', 'Rate limit reached. Please try again in 3h10m.'],
    ['Google, per day', 'Quota exceeded: GenerateRequestsPerDayPerProjectPerModel-FreeTier'],
  ])('is a quota that is used up: %s', (_, text) => {
    expect(modelFailureOf(text)).toBe('exhausted')
  })

  it.each([
    [modelFailures['401'].raw, 'credentials'],
    [modelFailures['401'].friendly, 'credentials'],
    ['API key not valid. Please pass a valid API key.', 'credentials'],
    [modelFailures.connection.raw, 'unreachable'],
    ['The model `gpt-9` does not exist or you do not have access to it.', 'unknown-model'],
    ["model 'llama3' not found, try pulling it first", 'unknown-model'],
    [
      'Error code: 429 - Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 45000. The input or output tokens must be reduced in order to run successfully.',
      'too-large',
    ],
    ["This model's maximum context length is 8192 tokens.", 'too-large'],
    [modelFailures['500'].raw, undefined],
    [modelFailures.empty.raw, undefined],
    [modelFailures.garbage.raw, undefined],
    ['Failed at slide 429 of the deck', undefined],
    ['The number of outlines (4) is not the number of slides (5).', undefined],
  ])('is no limit: %s', (text, failure) => {
    expect(modelFailureOf(text)).toBe(failure)
  })

  it('is read in linear time', () => {
    for (const piece of ['retry in 1s', 'model not ', '4 2 9 ', 'code    ', 'quota ', '1m1m']) {
      const startedMs = performance.now()
      modelFailureOf(piece.repeat(200_000))
      retryHintSeconds(`retry in ${piece.repeat(200_000)}`)
      expect(performance.now() - startedMs).toBeLessThan(5_000)
    }
  })
})
