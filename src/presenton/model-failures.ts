// Recognises failures of upstream's model by the texts of its provider, which upstream passes on
// raw or in its own words. The texts are those of OpenAI, Azure, Anthropic, Google, Mistral,
// Bedrock, Ollama and others. Its time is linear, as the input is bounded.

import type { ModelFailure } from '../domain/problem.ts'

const maxChars = 2000

/** A wait of this length is still worth it; a longer one is like a quota that is used up. */
const maxHintSeconds = 600

/** Too much for one request: it carries the code of a limit, but no wait helps. */
const tooLarge =
  /request (?:is )?too large|must be reduced|context[_ ](?:length|window)|maximum context|prompt is too long/

const exhausted =
  /insufficient[_ ](?:quota|funds|balance|credits?)|exceeded your current quota|credit balance|out of credits?|\bbilling\b|payment required|(?:spending|usage|hard) limit|per[_ ]?day|daily (?:\w+ )?(?:limit|quota)|monthly (?:\w+ )?(?:limit|quota)|\b402\b/

const limited =
  /rate[-_ ]?limit|ratelimit|call rate|token rate|too[_ ]many[_ ](?:requests|tokens)|throttl|resource[_ ]?(?:has been )?exhausted|quota|\b[rt]pm\b|(?:requests?|tokens?|calls?) (?:per|\/) ?(?:minute|second|min\b)|overloaded|capacity exceeded|(?:at|over|exceeded) capacity|high (?:traffic|demand|load)|server (?:is )?busy|maximum pending requests|(?:status|code|http|error)\W{0,8}(?:429|529)\b|\b(?:429|529)\b\W{0,4}(?:too|resource|overloaded|client error)/

const credentials =
  /(?:incorrect|invalid|missing|expired|no) (?:\w+ )?api[-_ ]?key|api[-_ ]?key (?:is )?(?:not valid|not found|invalid|expired|missing)|invalid_api_key|authentication[_ ]?(?:error|failed)|invalid x-api-key|(?:status|code|http|error)\W{0,8}40[13]\b/

const unknownModel =
  /model\W.{0,80}(?:not found|does not exist|not supported|no longer available)|model_not_found|no such model/

const unreachable =
  /connection (?:error|refused|reset)|econn(?:refused|reset)|could not connect|cannot connect|failed to connect|name resolution/

/** What the text of a model's error says; undefined if it says nothing known. */
export function modelFailureOf(text: string): ModelFailure | undefined {
  const lower = text.slice(0, maxChars).toLowerCase()
  if (tooLarge.test(lower)) return 'too-large'
  const isLimited = limited.test(lower)
  const hint = hintOf(lower)
  // Google says "check your plan and billing details" for limits per minute as well.
  if (isLimited && hint !== undefined && hint <= maxHintSeconds) return 'limit'
  if (exhausted.test(lower)) return 'exhausted'
  if (isLimited) return hint === undefined ? 'limit' : 'exhausted'
  if (credentials.test(lower)) return 'credentials'
  if (unknownModel.test(lower)) return 'unknown-model'
  return unreachable.test(lower) ? 'unreachable' : undefined
}

const unit = '(?:milliseconds?|ms|minutes?|mins?|m|seconds?|secs?|s|hours?|hrs?|h)'
const hintPattern = new RegExp(
  '(?:(?:again|retry|retrying) (?:in|after)|retry[-_ ]?after|retry[-_ ]?delay|wait(?: for)?)' +
    `["']?\\s?[:=]?\\s?["']?(?:about |at least )?((?:\\d+(?:\\.\\d+)? ?${unit} ?)+|\\d+(?:\\.\\d+)?)`,
)
const part = new RegExp(`(\\d+(?:\\.\\d+)?) ?(${unit})?`, 'g')

function secondsPer(name: string): number {
  if (name.startsWith('ms') || name.startsWith('milli')) return 0.001
  if (name.startsWith('m')) return 60
  return name.startsWith('h') ? 3600 : 1
}

/** Seconds until the provider accepts requests again, if its text says so: "try again in 6m0s". */
export function retryHintSeconds(text: string): number | undefined {
  const seconds = hintOf(text.slice(0, maxChars).toLowerCase())
  return seconds === undefined ? undefined : Math.min(maxHintSeconds, seconds)
}

function hintOf(lower: string): number | undefined {
  const [, duration] = hintPattern.exec(lower) ?? []
  if (duration === undefined) return undefined
  let seconds = 0
  for (const [, number, name = 's'] of duration.matchAll(part)) {
    seconds += Number(number) * secondsPer(name)
  }
  return Math.max(1, Math.ceil(seconds))
}
