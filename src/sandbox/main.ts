// `npm run sandbox`: starts the sandbox, makes one presentation with live progress, prints how to
// use the API, then serves until Ctrl-C.

import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Arguments, readArguments, UsageError, usage } from './arguments.ts'
import { buildPageIfOutdated } from './built-program.ts'
import {
  type DownloadedDeck,
  download,
  followRun,
  GatewayError,
  postBrief,
  uploadSources,
} from './demo.ts'
import { findLockHolder, lockFolder } from './folder-lock.ts'
import { isPortFree } from './ports.ts'
import { paces } from './presenton/stand-in.ts'
import { createProgressOutput } from './progress-output.ts'
import { openSandbox, type Sandbox, sandboxUser } from './sandbox.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = resolve(process.env['SANDBOX_FOLDER'] || join(root, '.sandbox'))
const tokenHours = 12

const print = (text = '') => process.stdout.write(`${text}\n`)
const printError = (text: string) => process.stderr.write(`${text}\n`)
const shownPath = (path: string) => relative(process.cwd(), path)

process.exitCode = await main()

async function main(): Promise<number> {
  const stop = listenForSignals()
  let logFile = join(folder, 'gateway.log')
  let sandbox: Sandbox | undefined
  let releaseLock = () => {}
  try {
    const args = readArguments(process.argv.slice(2))
    mkdirSync(folder, { recursive: true })
    const lock = lockFolder(folder)
    releaseLock = () => lock?.release()
    if (!lock) {
      print(
        `Another sandbox (process ${findLockHolder(folder)}) uses ${folder}.\nThis one keeps no data except the files that it downloads.\n`,
      )
      logFile = join(folder, `gateway-${process.pid}.log`)
    }
    sandbox = await start(args, { keepsData: lock !== undefined, logFile })
    stop.throwIfAborted()
    const token = await sandbox.sign({
      sub: sandboxUser,
      expiresInSeconds: tokenHours * 3600,
    })
    const deck = await makePresentation({ url: sandbox.url, token, signal: stop }, args)
    printDeck(deck)
    printCommands(sandbox.url, deck, token)
    if (args.once) {
      print('\nThe sandbox stops now, because of --once. To use the link and the commands,')
      print('run `npm run sandbox` without it.')
    } else {
      print('\nThe gateway is running. Press Ctrl-C to stop it.')
      if (!stop.aborted) await once(stop, 'abort')
    }
    return 0
  } catch (error) {
    if (stop.aborted) return 130
    if (error instanceof UsageError) {
      printError(`${error.message}\n\n${usage}`)
      return 2
    }
    printError(error instanceof GatewayError ? error.message : `${(error as Error).stack ?? error}`)
    if (sandbox) printError(`The gateway's log is in ${shownPath(logFile)}.`)
    return 1
  } finally {
    if (stop.aborted) print('\nStopping …')
    await sandbox?.close()
    releaseLock()
  }
}

/** Aborts at the first signal that asks the process to end. */
function listenForSignals(): AbortSignal {
  const stop = new AbortController()
  let firstAtMs: number | undefined
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      firstAtMs ??= performance.now()
      // A second Ctrl-C exits at once; watchdogs then stop what still runs. But npm may forward the
      // first Ctrl-C, so that it arrives twice.
      if (performance.now() - firstAtMs > 1000) process.exit(130)
      stop.abort()
    })
  }
  // The program that reads our output has ended, such as `| head`.
  process.stdout.on('error', () => stop.abort())
  return stop.signal
}

async function start(
  { shape, fast, faults, maker }: Arguments,
  { keepsData, logFile }: { keepsData: boolean; logFile: string },
): Promise<Sandbox> {
  print('Starting the gateway with everything it needs …')
  await buildPageIfOutdated()
  const startedAtMs = performance.now()
  const port = process.env['PORT'] ?? ((await isPortFree(3000)) ? '3000' : '0')
  const sandbox = await openSandbox({
    folder: keepsData ? folder : undefined,
    env: { ...process.env, PORT: port, ...(maker && { MAKER_PORT: await findMakerPort() }) },
    maker,
    shape,
    pace: fast ? paces.fast : paces.model,
    logFile,
  })
  const { url, makerUrl, database, objects, standIn } = sandbox
  for (const name of faults) standIn?.faults.inject(name)
  print(`Started in ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s:`)
  print(`  The page      ${url.replace('//127.0.0.1', '//localhost')}/  (open it in your browser)`)
  if (makerUrl) print(`  Slide maker   ${makerUrl}/dashboard  (signs you in)`)
  print(`  Gateway       ${url}`)
  print(`  API docs      ${url}/docs`)
  print(`  MCP server    ${url}/mcp`)
  print(`  Postgres      ${database?.url ?? 'yours, from DATABASE_URL'}`)
  print(`  Object store  ${objects?.endpoint ?? 'yours, from MINIO_ENDPOINT'}`)
  print(
    standIn
      ? `  Presenton     ${standIn.url}, a stand-in of shape ${shape} without a model:\n                its slides are sentences of the brief`
      : '  Presenton     yours, from PRESENTON_URL',
  )
  print(`  Gateway log   ${shownPath(logFile)}`)
  if (database?.renamedTo) {
    print('\nThis version cannot use the database of an earlier run, so it created a new one.')
    print(`The old one is renamed to "${database.renamedTo}".`)
  }
  return sandbox
}

async function findMakerPort(): Promise<string> {
  return process.env['MAKER_PORT'] || ((await isPortFree(3001)) ? '3001' : '0')
}

async function makePresentation(
  access: { url: string; token: string; signal: AbortSignal },
  { briefPath, brief, sources }: Arguments,
): Promise<DownloadedDeck> {
  const shown = sources ?? [briefPath]
  print(`\nMaking a presentation from ${shown.map(shownPath).join(', ')}:`)
  const progress = createProgressOutput()
  try {
    const uploaded = sources && { sources: await uploadSources(access, sources) }
    const id = await postBrief(access, { ...brief, ...uploaded })
    await followRun(access, id, progress)
    return await download(access, id, join(folder, 'decks'))
  } finally {
    progress.finish(false)
  }
}

function printDeck({ title, slides, path, bytes, sha256, link, linkExpiresAt }: DownloadedDeck) {
  print(`\nThe presentation "${title}" is ready.`)
  print(`  File     ${shownPath(path)}`)
  print(`  Size     ${slides} slides, ${bytes.toLocaleString('en')} bytes`)
  print(`  SHA-256  ${sha256}`)
  print(`\nDownload link, valid until ${linkExpiresAt}:\n${link}`)
}

function printCommands(url: string, { id }: DownloadedDeck, token: string): void {
  const authorization = '-H "Authorization: Bearer $TOKEN"'
  print(`\nTry the API: paste these lines into another terminal. The token is valid for ${tokenHours} hours.

API=${url}/api/v1
TOKEN=${token}
ID=${id}

# Make a presentation. The response contains its id.
curl -s $API/presentations ${authorization} \\
  -H 'Content-Type: application/json' -H "Idempotency-Key: $(date +%s)" \\
  -d '{"content":"The bridge is repaired in May. The ferry runs until then. The port pays for both.","n_slides":3}'

# Follow the events of a presentation.
curl -sN $API/presentations/$ID/events ${authorization}

# List your presentations.
curl -s "$API/presentations?limit=5" ${authorization}

# Download the file.
curl -sL -o deck.pptx $API/presentations/$ID/download ${authorization}`)
}
