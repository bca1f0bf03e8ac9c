// The gateway as the sandbox and the tests run it: inside this process, or as a process of its own
// that can be killed.

import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { type AppOptions, openApp } from '../app/app.ts'
import { readConfig } from '../config/config.ts'
import { createLogger } from '../telemetry/logging.ts'
import { builtProgram } from './built-program.ts'

export type Environment = Record<string, string | undefined>

/** Any free port of this machine only, unless the environment says otherwise. */
const defaults: Environment = { HOST: '127.0.0.1', PORT: '0' }

export type Gateway = Awaited<ReturnType<typeof openGateway>>

export interface GatewayOptions {
  /** Where log lines go; without it they are kept in `logs`. */
  logFile?: string
  /**
   * Not only listening but with its tables, ready to work. Default true; a test of a gateway
   * without its database wants false.
   */
  waitUntilReady?: boolean
  /** The waits between attempts, driven by a test. */
  waits?: AppOptions['waits']
}

/** Starts the gateway in this process. */
export async function openGateway(
  env: Environment,
  { logFile, waitUntilReady = true, waits }: GatewayOptions = {},
) {
  const config = readConfig({ ...defaults, ...env })
  const logs: string[] = []
  const file = logFile === undefined ? undefined : createWriteStream(logFile)
  const logger = createLogger(config, {
    write: (line: string) => void (file ? file.write(line) : logs.push(line)),
  })
  const app = await openApp({ config, logger, waits })
  async function close() {
    await app.close()
    await new Promise<void>((resolve) => (file ? file.end(resolve) : resolve()))
  }
  if (waitUntilReady) {
    await app.started.catch(async (error: unknown) => {
      await close()
      throw error
    })
  }
  return { url: app.address, logs, close }
}

export type SpawnedGateway = Awaited<ReturnType<typeof spawnGateway>>

// A gateway must not outlive the tests that started it, whatever they died of: the end of its
// standard input ends it.
const leash =
  'data:text/javascript,process.stdin.resume().on("end",()=>process.kill(process.pid,"SIGKILL")).unref()'

/**
 * Starts the built gateway and waits until it serves. Nothing of our own environment is handed on
 * but PATH.
 */
export async function spawnGateway(env: Environment) {
  const child = spawn(process.execPath, ['--import', leash, builtProgram], {
    env: { PATH: process.env['PATH'], ...defaults, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => undefined)
  const logs: string[] = []
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.once('error', (error) => {
      logs.push(error.message)
      resolve({ code: null, signal: null })
    })
  })
  const errors = createInterface(child.stderr)
  errors.on('line', (line) => logs.push(line))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      logs.push(line)
      const address = readAddress(line)
      if (address) resolve(address)
    })
    void exited.then(async ({ code, signal }) => {
      // What it said last may still be on its way.
      await new Promise((done) => setImmediate(done))
      reject(new Error(`the gateway ended at its start (${signal ?? code}):\n${logs.join('\n')}`))
    })
  })
  return {
    url,
    child: child as ChildProcess,
    /** Its log lines, and what it wrote to standard error. */
    logs,
    /** Resolves when it has ended, however that came. */
    exited,
    /**
     * Sends the signal and waits for the end (for SIGSTOP and SIGCONT: doesn't wait). Default
     * SIGKILL.
     */
    async kill(signal: NodeJS.Signals = 'SIGKILL') {
      child.kill(signal)
      if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await exited
    },
  }
}

function readAddress(line: string): string | undefined {
  if (!line.includes('"msg":"listening"')) return undefined
  return (JSON.parse(line) as { address?: string }).address
}
