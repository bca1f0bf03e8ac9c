// `npm run sandbox`: everything on one machine, one deck made before your eyes, then a gateway to
// play with until Ctrl-C.

import { once } from 'node:events'
import { mkdirSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Arguments, readArguments, UsageError, usage } from './arguments.ts'
import { type Deck, download, followRun, GatewayError, postBrief } from './demo.ts'
import { findLockHolder, lockFolder } from './folder-lock.ts'
import { isPortFree } from './ports.ts'
import { paces } from './presenton/stand-in.ts'
import { openSandbox, type Sandbox } from './sandbox.ts'
import { createRunView } from './terminal.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = resolve(process.env['SANDBOX_FOLDER'] || join(root, '.sandbox'))
const tokenSeconds = 12 * 3600

const say = (text = '') => process.stdout.write(`${text}\n`)
const complain = (text: string) => process.stderr.write(`${text}\n`)

process.exitCode = await main()

async function main(): Promise<number> {
  const stop = listenForSignals()
  let logFile = join(folder, 'gateway.log')
  let sandbox: Sandbox | undefined
  let release = () => {}
  try {
    const args = readArguments(process.argv.slice(2))
    mkdirSync(folder, { recursive: true })
    const claim = lockFolder(folder)
    release = () => claim?.release()
    if (!claim) {
      say(
        `Another sandbox runs from this checkout (process ${findLockHolder(folder)}): this one keeps nothing but its decks.`,
      )
      logFile = join(folder, `gateway-${process.pid}.log`)
    }
    sandbox = await open(args, { keep: claim !== undefined, logFile })
    stop.throwIfAborted()
    const token = await sandbox.sign({ sub: 'sandbox-user', expiresInSeconds: tokenSeconds })
    const deck = await make({ url: sandbox.url, token, signal: stop }, args)
    describe(sandbox, deck, token)
    if (!args.once) {
      say('\nServing until Ctrl-C.')
      if (!stop.aborted) await once(stop, 'abort')
    }
    return 0
  } catch (error) {
    if (stop.aborted) return 130
    if (error instanceof UsageError) {
      complain(`${error.message}\n\n${usage}`)
      return 2
    }
    complain(error instanceof GatewayError ? error.message : `${(error as Error).stack ?? error}`)
    if (sandbox) complain(`The gateway's log: ${relative(process.cwd(), logFile)}`)
    return 1
  } finally {
    if (stop.aborted) say('\nStopping …')
    await sandbox?.close()
    release()
  }
}

/** Aborts at the first signal that asks us to end. */
function listenForSignals(): AbortSignal {
  const stop = new AbortController()
  let at = 0
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      // A later one is somebody who does not want to wait; what is left over then ends by itself.
      // One Ctrl-C can arrive twice: from the terminal, and handed on by the process that started
      // us.
      if (stop.signal.aborted && performance.now() - at > 1000) process.exit(130)
      at ||= performance.now()
      stop.abort()
    })
  }
  // Whoever reads our output went away (`| head`).
  process.stdout.on('error', () => stop.abort())
  return stop.signal
}

async function open(
  { shape, fast, faults }: Arguments,
  { keep, logFile }: { keep: boolean; logFile: string },
): Promise<Sandbox> {
  const started = performance.now()
  const port = process.env['PORT'] ?? ((await isPortFree(3000)) ? '3000' : '0')
  const sandbox = await openSandbox({
    folder: keep ? folder : undefined,
    env: { ...process.env, PORT: port },
    shape,
    pace: fast ? paces.fast : paces.model,
    logFile,
  })
  const { database, objects, presenton } = sandbox
  for (const name of faults) presenton?.faults.inject(name)
  say(`Started in ${((performance.now() - started) / 1000).toFixed(1)} s:`)
  say(`  gateway    ${sandbox.url}   (API: ${sandbox.url}/docs)`)
  say(`  Postgres   ${database?.url ?? 'yours (DATABASE_URL)'}`)
  say(`  objects    ${objects?.endpoint ?? 'yours (MINIO_ENDPOINT)'}`)
  say(
    `  Presenton  ${presenton ? `${presenton.url}   a stand-in of shape ${shape}: its slides are the summary's own sentences, no model` : 'yours (PRESENTON_URL)'}`,
  )
  if (database?.setAside)
    say(`  (the kept database is not of this version; it is set aside as "${database.setAside}")`)
  say(`  log        ${relative(process.cwd(), logFile)}\n`)
  return sandbox
}

async function make(
  access: { url: string; token: string; signal: AbortSignal },
  { brief }: Arguments,
): Promise<Deck> {
  const view = createRunView()
  try {
    const id = await postBrief(access, brief)
    await followRun(access, id, view)
    return await download(access, id, join(folder, 'decks'))
  } finally {
    view.finish(false)
  }
}

function describe({ url }: Sandbox, deck: Deck, token: string): void {
  const api = `${url}/api/v1/presentations`
  say(`\n${deck.title}`)
  say(`  file    ${relative(process.cwd(), deck.path)}`)
  say(
    `  size    ${deck.bytes} bytes (${statSync(deck.path).size === deck.bytes ? 'whole' : 'NOT WHOLE'}), ${deck.slides} slides`,
  )
  say(`  sha256  ${deck.sha256}`)
  say(`\nDownload link, until ${deck.linkExpiresAt}:\n  ${deck.link}`)
  say(`\nTo try:\n`)
  say(`TOKEN=${token}`)
  say(`# make a deck`)
  say(
    `curl -s -X POST ${api} -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -H "Idempotency-Key: $(date +%s)" \\`,
  )
  say(
    `  -d '{"content":"We agreed on three things. The bridge is repaired in May. The ferry runs until then. Both are paid by the port.","n_slides":4}'`,
  )
  say(`# follow its events (any id from the answer above or the list below)`)
  say(`curl -sN ${api}/${deck.id}/events -H "Authorization: Bearer $TOKEN"`)
  say(`# list`)
  say(`curl -s "${api}?limit=5" -H "Authorization: Bearer $TOKEN"`)
  say(`# download`)
  say(`curl -sL -o deck.pptx ${api}/${deck.id}/download -H "Authorization: Bearer $TOKEN"`)
}
