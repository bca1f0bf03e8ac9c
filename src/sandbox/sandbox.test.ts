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
import { afterAll, describe, expect, test } from 'vitest'
import { readArguments } from './arguments.ts'
import { download, followRun, postBrief } from './demo.ts'
import { createProgressOutput } from './progress-output.ts'
import { openSandbox, type Sandbox } from './sandbox.ts'

const folder = mkdtempSync(join(tmpdir(), 'presenton-gateway-test-'))
// When root runs the tests, the account of Postgres needs access.
chmodSync(folder, 0o755)
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))

function runCommand(name: string, args: string[]) {
  return spawn(process.execPath, ['--import', 'tsx', 'src/sandbox/main.ts', ...args], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { PATH: process.env['PATH'], PORT: '0', SANDBOX_FOLDER: join(folder, name) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function accessTo(sandbox: Sandbox) {
  return {
    url: sandbox.url,
    token: await sandbox.sign({ sub: 'ada' }),
    signal: AbortSignal.timeout(100_000),
  }
}

const silent = () => createProgressOutput({ write: () => true })
const sha256Of = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

describe('the sandbox', () => {
  test.each(['A1', 'T', 'B1', 'B2'] as const)(
    'makes, shows and downloads a presentation with a stand-in of shape %s',
    async (shape) => {
      const sandbox = await openSandbox({ shape })
      try {
        const access = await accessTo(sandbox)
        const id = await postBrief(access, readArguments([]).brief)
        const lines: string[] = []
        await followRun(access, id, createProgressOutput({ write: (line) => lines.push(line) }))
        const deck = await download(access, id, join(folder, 'decks'))
        expect(lines.join('')).toMatch(/slide 8 of 8.*✓ slides .*✓ export .*✓ store /s)
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

  test('keeps presentations for the next run, and renames a database that it cannot migrate', async () => {
    const persistent = join(folder, 'persistent')
    const listIds = async (sandbox: Sandbox) => {
      const { url, token } = await accessTo(sandbox)
      const response = await fetch(`${url}/api/v1/presentations`, {
        headers: { authorization: `Bearer ${token}` },
      })
      return ((await response.json()) as { items: { id: string }[] }).items.map(({ id }) => id)
    }
    const first = await openSandbox({ folder: persistent })
    const access = await accessTo(first)
    const id = await postBrief(access, { content: 'The bridge is repaired in May.', n_slides: 1 })
    await followRun(access, id, silent())
    await first.close()

    const second = await openSandbox({ folder: persistent })
    expect(await listIds(second)).toEqual([id])
    const deck = await download(await accessTo(second), id, join(folder, 'decks'))
    expect(deck.slides).toBe(1)
    const client = new pg.Client({ connectionString: second.database?.url })
    await client.connect()
    await client.query('delete from gateway.migrations')
    await client.end()
    await second.close()

    const third = await openSandbox({ folder: persistent })
    expect(third.database?.renamedTo).toMatch(/^gateway until /)
    expect(await listIds(third)).toEqual([])
    await third.close()
  })

  test('rejects with the problem code of the gateway', async () => {
    const sandbox = await openSandbox()
    try {
      const access = await accessTo(sandbox)
      await expect(postBrief(access, { content: '' })).rejects.toThrow('VALIDATION_FAILED')
      await expect(postBrief({ ...access, token: 'none' }, { content: 'Hello.' })).rejects.toThrow(
        'AUTHENTICATION_FAILED',
      )
    } finally {
      await sandbox.close()
    }
  })

  test('signs tokens with AUTH_JWT_SECRET of the environment', async () => {
    const sandbox = await openSandbox({
      env: {
        AUTH_JWT_SECRET: 'a secret of more than thirty-two bytes',
        AUTH_ISSUER: 'me',
        AUTH_AUDIENCE: 'you',
      },
    })
    try {
      const { url, token } = await accessTo(sandbox)
      const response = await fetch(`${url}/api/v1/presentations`, {
        headers: { authorization: `Bearer ${token}` },
      })
      expect(await response.json()).toEqual({ items: [], next_cursor: null })
    } finally {
      await sandbox.close()
    }
  })
})

describe('npm run sandbox', () => {
  test('with --once makes a presentation, exits with 0 and leaves nothing running', async () => {
    const child = runCommand('once', ['--once', '--fast'])
    const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
    expect(child.exitCode).toBe(0)
    expect(output).toContain('8 slides')
    const [file = ''] = readdirSync(join(folder, 'once', 'decks'))
    expect(output).toContain(file)
    expect(output).toContain(sha256Of(join(folder, 'once', 'decks', file)))
    expect(readdirSync(join(folder, 'once')).sort()).toEqual([
      'decks',
      'gateway.log',
      'objects',
      'postgres',
    ])
  })

  test('serves until a signal, while a second sandbox of the same folder works, too', async () => {
    const first = runCommand('two', ['--fast'])
    const exited = once(first, 'exit')
    for await (const line of createInterface(first.stdout))
      if (line.startsWith('The gateway is running')) break
    const second = runCommand('two', ['--fast', '--once'])
    const [output] = await Promise.all([text(second.stdout), once(second, 'exit')])
    expect(output).toContain(`Another sandbox (process ${first.pid})`)
    expect(second.exitCode).toBe(0)
    first.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
    expect(readdirSync(join(folder, 'two'))).not.toContain('lock')
  })

  test('prints the usage for an unknown flag and exits with 2', async () => {
    const child = runCommand('none', ['--twice'])
    const [errorOutput] = await Promise.all([text(child.stderr), once(child, 'exit')])
    expect(child.exitCode).toBe(2)
    expect(errorOutput).toContain('--brief FILE')
  })
})
