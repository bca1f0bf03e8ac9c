// What is meant to differ from the recorded sessions of upstream's interface, and where the stand-in
// has less than upstream. Anything else that differs is a defect.

export interface KnownDifference {
  /** Method and target of the recorded request. */
  where: RegExp
  /** What differs: the status and whose it is, or a place and its types. */
  what: RegExp
  reason: string
}

export const known: readonly KnownDifference[] = [
  {
    where: /^POST \/api\/v1\/auth\/login$/,
    what: /^status 404 of the gateway/,
    reason: 'refused: the maker is entered by a ticket or the sign-in of the site',
  },
  {
    where: /^GET \/(?:settings|admin|custom-template)(?:[?]|$)/,
    what: /^status 404 of the gateway/,
    reason: 'refused: pages for administrators, and for templates of one’s own',
  },
  {
    where: /^GET \/api\/v1\/(?:admin\/users|auth\/token\/list)$/,
    what: /^status 404 of the gateway/,
    reason: 'refused: accounts and tokens of the installation',
  },
  {
    where: /^GET \/api\/v1\/auth\/status$/,
    what: /^body\.(?:username|role): string, not null$/,
    reason: 'a local response: the recording had not signed in yet, and a session of the maker has',
  },
  {
    where: /^DELETE \/api\/v1\/ppt\/chat\/conversation[?]/,
    what: /^type $/,
    reason: 'a local 204, which has no body and so names no type',
  },
  {
    where: /^PATCH \/api\/v1\/ppt\/presentation\/update$/,
    what: /^body\.slides\[\]\.(?:html_content|properties): missing$/,
    reason:
      'upstream sends back what it got: the gateway passes no html_content, and the stand-in sends back neither',
  },
  {
    where: /^POST \/api\/v1\/ppt\/chat\/message\/stream$/,
    what: /^frame response trace tool_(?:plan|call): additional$/,
    reason: 'the model of the stand-in uses a tool where that of the recording only talked',
  },
  {
    where: /^GET \/[?]_rsc=/,
    what: /^type text\/html$/,
    reason: 'the stand-in has its start page only as a document',
  },
  {
    where: /^GET \/api\/v1\/ppt\/presentation\/[\da-f-]{36}$/,
    what: /^body\.(?:fonts: null, not object|(?:tone|verbosity): string, not null)$/,
    reason: 'the stand-in sets fonts with the slides only, and keeps a tone for a blank deck',
  },
  {
    where: /^(?:GET|POST) \/api\/v1\/ppt\/presentation\/(?:all[?]|[\da-f-]{36}\/duplicate$)/,
    what: /^body(?:\[\])?\.(?:fonts: object|(?:tone|verbosity): string), not null$/,
    reason: 'the recording had a blank deck first, which has none of them, and the stand-in has',
  },
  {
    where:
      /^GET (?:\/(?:[\w-]+\/)?[\w-]+\.(?:svg|png|ico)|\/_next\/image|\/api\/update-svg)(?:[?]|$)/,
    what: /^status 404 of upstream/,
    reason:
      'the stand-in has no pictures of the interface; the table lets the request through to it',
  },
]
