// Replaces URLs, hosts, paths and words that look like keys in upstream's texts, before a user sees
// them. Rather too much than too little: upstream passes on raw texts of model providers. Its time
// is linear: the input is bounded, and no pattern nests repetitions over the same characters.

const maxChars = 300
const maxInputChars = 2000

const secretNames =
  '(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_ ]?key|access[-_ ]?key|private[-_ ]?key|auth(?:orization)?|cookie|session|credentials?|signature|sig)'

/** Ordered: whole URLs, then named secrets, then words that look like secrets. */
const rules: readonly [RegExp, string][] = [
  [/\b[a-z][a-z0-9+.-]{1,15}:\/\/[^\s"'<>]+/gi, '[url]'],
  [
    new RegExp(
      `\\b([\\w-]{0,40}${secretNames}[\\w-]{0,40})["']?\\s?[:=]\\s?(?:(?:bearer|basic|token) )?(?:"[^"]*"?|'[^']*'?|[^\\s"',;&}]+)`,
      'gi',
    ),
    '$1=[secret]',
  ],
  [/\bbearer\s+[^\s"',;}]+/gi, 'Bearer [secret]'],
  [/\bbasic\s+[a-z0-9+/]{8,}={1,2}/gi, 'Basic [secret]'],
  [/\b(?:sk|pk|rk|gsk|hf|xai|ghp|gho|glpat|xox[a-z])[-_][\w*.-]{3,}/gi, '[secret]'],
  [/\b(?:AKIA|ASIA|AIza)[\w-]{8,}/g, '[secret]'],
  [/\beyJ[\w-]{6,}[\w.-]*/g, '[secret]'],
  [/[\w.+%-]{1,64}@[\w.-]+/g, '[address]'],
  [/\b[a-z]:\\[^\s"']*/gi, '[path]'],
  [/\\\\[\w.$-]+\\[^\s"']*/g, '[path]'],
  [/(?<![\w\]])(?:~|\.{1,2})?\/[\w@%+~.-][^\s"'<>|,;)]*/g, '[path]'],
  [/\b[\w.@-]+\/[\w.@-]+\/[^\s"'<>|,;)]*/g, '[path]'],
  [/\[?\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b\]?(?::\d{2,5})?/gi, '[host]'],
  [
    /\[?(?:\b[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?::(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?\]?(?::\d{2,5})?/gi,
    '[host]',
  ],
  [/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?/g, '[host]'],
  [
    /\b(ENOTFOUND|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ETIMEDOUT|EAI_AGAIN)\s+[^\s"',;)]+/g,
    '$1 [host]',
  ],
  [/\b(host(?:name)?|server|addr(?:ess)?)["']?\s?[:=]\s?["']?[\w.-]+["']?/gi, '$1=[host]'],
  [/\b(host|server at) ["'][\w.-]+["']/gi, '$1 [host]'],
  [/\blocalhost\b(?::\d{1,5})?/gi, '[host]'],
  [/\b[\w-]{1,63}(?:\.[\w-]{1,63})*\.[a-z]{2,24}\b(?::\d{1,5})?/gi, '[host]'],
  [/\b[a-z][\w-]{0,62}:\d{2,5}\b/gi, '[host]'],
  [/\b[0-9a-f]{16,}\b/gi, '[secret]'],
  [/(?<![\w+/=-])(?=[\w+/=-]{0,200}\d)[\w+/=-]{24,}/g, '[secret]'],
  [/[\w+/=-]{32,}/g, '[secret]'],
]

/** One line of at most 300 characters, without URLs, hosts, paths and anything like a key. */
export function redactUpstreamText(text: string): string {
  let line = text.slice(0, maxInputChars)
  // Drop the word that the bound cuts in two: patterns could miss its rest.
  if (text.length > maxInputChars) line = line.slice(0, Math.max(0, line.lastIndexOf(' ')))
  line = line.replace(/\p{Cs}/gu, '\uFFFD').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
  for (const [pattern, placeholder] of rules) line = line.replace(pattern, placeholder)
  line = line.trim()
  if (line.length <= maxChars) return line
  return `${line.slice(0, maxChars - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}
