import { createHash, createHmac } from 'node:crypto'
import { expect, it } from 'vitest'
import { accountOfUser, createPerAccount, passwordOf, sharedAccount } from './account.ts'

it('derives the name and the password of an account from the user', () => {
  const account = accountOfUser('auth0|älice')
  const digest = createHash('sha256').update('auth0|älice').digest('hex')
  expect(account.name).toBe(`u-${digest.slice(0, 40)}`)
  expect(accountOfUser('auth0|älice')).toEqual(account)
  expect(accountOfUser('auth0|Älice').name).not.toBe(account.name)
  const password = createHmac('sha256', 'a secret').update('auth0|älice').digest('hex')
  expect(passwordOf(account, 'a secret')).toBe(password)
  expect(passwordOf(account, 'another secret')).not.toBe(password)
})

it('keeps the state of each account, and forgets the user who was seen longest ago', () => {
  let created = 0
  const stateOf = createPerAccount(() => {
    created += 1
    return created
  })
  const alice = stateOf(accountOfUser('alice'))
  expect(stateOf(sharedAccount)).not.toBe(alice)
  expect(stateOf(accountOfUser('alice'))).toBe(alice)
  for (let user = 0; user < 999; user += 1) stateOf(accountOfUser(`user-${user}`))
  expect(stateOf(accountOfUser('alice'))).toBe(alice)
  for (let user = 0; user < 1_000; user += 1) stateOf(accountOfUser(`other-${user}`))
  expect(stateOf(accountOfUser('alice'))).not.toBe(alice)
})
