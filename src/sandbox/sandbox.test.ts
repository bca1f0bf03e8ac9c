import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { readArguments } from './arguments.ts'
import { download, followRun, postBrief } from './demo.ts'
import { openSandbox, type Sandbox } from './sandbox.ts'
import { createRunView } from './terminal.ts'

const folder = mkdtempSync(join(tmpdir(), 'presenton-gateway-test-'))
// Open to the account of Postgres, when root runs this.
chmodSync(folder, 0o755)
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))

function run(name: string, args: string[], env: Record<string, string> = {}) {
  return spawn(process.execPath, ['--import', 'tsx', 'src/sandbox/main.ts', ...args], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { PATH: process.env['PATH'], PORT: '0', SANDBOX_FOLDER: join(folder, name), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

const sha256Of = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

test.each(['A1', 'T', 'B1', 'B2'] as const)(
  'a deck is made, watched and downloaded with the stand-in of shape %s',
  async (shape) => {
    const sandbox = await openSandbox({ shape })
    try {
      const access = {
        url: sandbox.url,
        token: await sandbox.sign({ sub: 'ada' }),
        signal: AbortSignal.timeout(25_000),
      }
      const id = await postBrief(access, readArguments([]).brief)
      const lines: string[] = []
      await followRun(access, id, createRunView({ write: (line) => lines.push(line) }))
      const deck = await download(access, id, join(folder, 'decks'))
      expect(lines.join('')).toMatch(/✓ slides .*✓ export .*✓ store /s)
      expect(deck).toMatchObject({
        id,
        title: 'A cooler Marlow Quay: what we talked through',
        slides: 8,
      })
      expect(sha256Of(deck.path)).toBe(deck.sha256)
      expect(readFileSync(deck.path).subarray(0, 2).toString()).toBe('PK')
    } finally {
      await sandbox.close()
    }
  },
)

test('presentations are kept from one run to the next; a database of another version is set aside', async () => {
  const kept = join(folder, 'kept')
  const list = async ({ url, sign }: Sandbox) => {
    const response = await fetch(`${url}/api/v1/presentations`, {
      headers: { authorization: `Bearer ${await sign({ sub: 'ada' })}` },
    })
    return ((await response.json()) as { items: { id: string }[] }).items.map(({ id }) => id)
  }
  const first = await openSandbox({ folder: kept })
  const token = await first.sign({ sub: 'ada' })
  const access = { url: first.url, token, signal: AbortSignal.timeout(25_000) }
  const id = await postBrief(access, { content: 'The bridge is repaired in May.', n_slides: 1 })
  await followRun(access, id, createRunView({ write: () => true }))
  await first.close()

  const second = await openSandbox({ folder: kept })
  expect(await list(second)).toEqual([id])
  expect(
    (
      await download(
        { ...access, url: second.url, token: await second.sign({ sub: 'ada' }) },
        id,
        join(folder, 'decks'),
      )
    ).slides,
  ).toBe(1)
  const client = new pg.Client({ connectionString: second.database?.url })
  await client.connect()
  await client.query('delete from gateway.migrations')
  await client.end()
  await second.close()

  const third = await openSandbox({ folder: kept })
  expect(third.database?.setAside).toMatch(/^gateway until /)
  expect(await list(third)).toEqual([])
  await third.close()
})

test('what the gateway refuses is told in its words', async () => {
  const sandbox = await openSandbox()
  try {
    const access = {
      url: sandbox.url,
      token: await sandbox.sign({ sub: 'ada' }),
      signal: AbortSignal.timeout(25_000),
    }
    await expect(postBrief(access, { content: '' })).rejects.toThrow('VALIDATION_FAILED')
    await expect(postBrief({ ...access, token: 'none' }, { content: 'Hello.' })).rejects.toThrow(
      'AUTHENTICATION_FAILED',
    )
  } finally {
    await sandbox.close()
  }
})

test('the command makes a deck, ends with 0 and leaves nothing running', async () => {
  const child = run('once', ['--once', '--fast'])
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
  expect(child.exitCode).toBe(0)
  expect(output).toContain('8 slides')
  const [file = ''] = readdirSync(join(folder, 'once', 'decks'))
  expect(output).toContain(sha256Of(join(folder, 'once', 'decks', file)))
  expect(readdirSync(join(folder, 'once')).sort()).toEqual([
    'decks',
    'gateway.log',
    'objects',
    'postgres',
  ])
})

test('the command serves until a signal, while a second one from the same folder works too', async () => {
  const first = run('two', ['--fast'])
  const ended = once(first, 'exit')
  for await (const line of createInterface(first.stdout)) if (line.startsWith('Serving')) break
  const second = run('two', ['--fast', '--once'])
  const [output] = await Promise.all([text(second.stdout), once(second, 'exit')])
  expect(output).toContain(`Another sandbox runs from this checkout (process ${first.pid})`)
  expect(second.exitCode).toBe(0)
  first.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  expect(readdirSync(join(folder, 'two'))).not.toContain('claim')
})

test('an unknown flag is answered with the usage and 2', async () => {
  const child = run('none', ['--twice'])
  const [complaint] = await Promise.all([text(child.stderr), once(child, 'exit')])
  expect(child.exitCode).toBe(2)
  expect(complaint).toContain('--brief FILE')
})

test('AUTH_JWT_SECRET in the environment takes the place of the issuer', async () => {
  const sandbox = await openSandbox({
    env: {
      AUTH_JWT_SECRET: 'a secret of more than thirty-two bytes',
      AUTH_ISSUER: 'me',
      AUTH_AUDIENCE: 'you',
    },
  })
  try {
    const token = await sandbox.sign({ sub: 'ada' })
    const response = await fetch(`${sandbox.url}/api/v1/presentations`, {
      headers: { authorization: `Bearer ${token}` },
    })
    expect(await response.json()).toEqual({ items: [], next_cursor: null })
  } finally {
    await sandbox.close()
  }
})
