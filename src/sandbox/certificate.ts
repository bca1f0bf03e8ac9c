// A self-signed TLS certificate for 127.0.0.1 and localhost, for tests: Node can read certificates,
// but makes none.

import { generateKeyPairSync, sign } from 'node:crypto'

/** Both as PEM. */
export interface Certificate {
  cert: string
  key: string
}

export function createCertificate({ host = 'localhost' }: { host?: string } = {}): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecdsaWithSha256 = der(0x30, objectId(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))
  const commonName = der(0x30, objectId(0x55, 0x04, 0x03), der(0x0c, Buffer.from(host)))
  const name = der(0x30, der(0x31, commonName))
  const names = der(0x30, der(0x82, Buffer.from(host)), der(0x87, Buffer.from([127, 0, 0, 1])))
  const isCa = der(0x30, der(0x01, Buffer.from([0xff])))
  const extensions = der(
    0x30,
    der(0x30, objectId(0x55, 0x1d, 0x11), der(0x04, names)),
    der(0x30, objectId(0x55, 0x1d, 0x13), der(0x01, Buffer.from([0xff])), der(0x04, isCa)),
  )
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    name,
    der(0x30, time('20200101000000Z'), time('22000101000000Z')),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  )
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', body, privateKey)])
  const cert = der(0x30, body, ecdsaWithSha256, der(0x03, signature))
  const lines = (cert.toString('base64').match(/.{1,64}/g) ?? []).join('\n')
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** One value in DER: its tag, its length, its content. */
function der(tag: number, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content)
  const size =
    body.length < 0x80
      ? [body.length]
      : body.length < 0x100
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), body])
}

const objectId = (...bytes: number[]) => der(0x06, Buffer.from(bytes))
const time = (text: string) => der(0x18, Buffer.from(text))
