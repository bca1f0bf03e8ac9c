import { Webhook } from 'standardwebhooks'
import { expect, it } from 'vitest'
import { createSecret, createSecretBox, sign } from './secrets.ts'

const box = createSecretBox(Buffer.alloc(32, 1).toString('base64'))

it('opens what it sealed, but nothing with another key, of another webhook, or with changed bytes', () => {
  const secret = createSecret()
  const sealed = box.seal(secret, 'one')
  expect(sealed).not.toBe(box.seal(secret, 'one'))
  expect(box.open(sealed, 'one')).toBe(secret)
  const other = createSecretBox(Buffer.alloc(32, 2).toString('base64'))
  expect(() => other.open(sealed, 'one')).toThrow()
  expect(() => box.open(sealed, 'two')).toThrow()
  const bytes = Buffer.from(sealed, 'base64')
  bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20)
  expect(() => box.open(bytes.toString('base64'), 'one')).toThrow()
  expect(() => box.open('', 'one')).toThrow()
})

it('signs as the official library verifies, with each of several secrets', () => {
  const secrets = [createSecret(), createSecret()]
  const message = { id: 'id', timestamp: Math.floor(Date.now() / 1000), body: '{"ü":"\\u0000"}' }
  const headers = {
    'webhook-id': message.id,
    'webhook-timestamp': String(message.timestamp),
    'webhook-signature': sign(message, secrets),
  }
  for (const secret of secrets)
    expect(new Webhook(secret).verify(message.body, headers)).toEqual({ ü: '\0' })
  expect(() => new Webhook(createSecret()).verify(message.body, headers)).toThrow()
})
