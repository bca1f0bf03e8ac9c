// Reads a public key in the forms in which variables and consoles hold it: a PEM with real or
// escaped line ends or with spaces instead, the base64 of a PEM, or the bare base64 of its content.

import { createPublicKey } from 'node:crypto'

const pemPattern = /^-----BEGIN PUBLIC KEY-----([\sA-Za-z0-9+/=]*)-----END PUBLIC KEY-----$/

/** Returns a PEM (SPKI). @throws Error that continues "NAME …" */
export function publicKey(text: string): string {
  const pem = normalizePem(text)
  const key = tryCreateKey(pem)
  if (!key) throw new Error('is not a readable public key')
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  const isUsable =
    key.asymmetricKeyType === 'ed25519' ||
    (key.asymmetricKeyType === 'rsa' && modulusLength >= 2048) ||
    (key.asymmetricKeyType === 'ec' &&
      ['prime256v1', 'secp384r1', 'secp521r1'].includes(namedCurve))
  if (!isUsable)
    throw new Error('must be RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or Ed25519')
  return pem
}

function normalizePem(text: string): string {
  const plain = text.replace(/\\r|\\n/g, '\n').trim()
  const decoded = plain.startsWith('-----') ? plain : decodeBase64(plain)
  // createPublicKey would also accept a private key, which must never be in this variable.
  if (/PRIVATE KEY/.test(decoded)) throw new Error('must not be or contain a private key')
  const [, content] = pemPattern.exec(decoded.trim()) ?? []
  if (content === undefined) throw new Error('must be a public key as PEM (SPKI)')
  const lines = content.replace(/\s/g, '').match(/.{1,64}/g) ?? []
  return ['-----BEGIN PUBLIC KEY-----', ...lines, '-----END PUBLIC KEY-----'].join('\n')
}

/** The PEM that a base64 text stands for; the text itself if it is none. */
function decodeBase64(text: string): string {
  if (!/^[A-Za-z0-9+/=\s]+$/.test(text)) return text
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('latin1').startsWith('-----BEGIN')) return bytes.toString('latin1')
  // DER starts with a SEQUENCE. Keycloak shows the public key of a realm like this.
  return bytes[0] === 0x30 ? `-----BEGIN PUBLIC KEY-----${text}-----END PUBLIC KEY-----` : text
}

function tryCreateKey(pem: string) {
  try {
    return createPublicKey(pem)
  } catch {
    return undefined
  }
}
