// Runs the gateway for the sandbox and for tests: in this process, or as a child process that a
// test can kill.

import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { type AppOptions, openApp } from '../app/app.ts'
import { readConfig } from '../config/config.ts'
import { createLogger } from '../telemetry/logging.ts'
import { builtProgram } from './built-program.ts'
import { exitWithParent } from './exit-with-parent.ts'

export type Environment = Record<string, string | undefined>

// Reachable from this machine only, on any free port.
const defaults: Environment = { HOST: '127.0.0.1', PORT: '0' }

export type Gateway = Awaited<ReturnType<typeof openGateway>>

export interface GatewayOptions {
  /** The file for log lines. Without it they are kept in `logs`. */
  logFile?: string
  /**
   * Default true: resolve once the database is migrated. False: resolve once the gateway listens,
   * for tests without a database.
   */
  waitUntilReady?: boolean
  /** Lets a test control the delays between attempts. */
  timing?: AppOptions['timing']
  /** Where `env` configures none. */
  tracer?: AppOptions['tracer']
}

/** Starts the gateway in this process. */
export async function openGateway(
  env: Environment,
  { logFile, waitUntilReady = true, timing, tracer }: GatewayOptions = {},
) {
  const config = readConfig({ ...defaults, ...env })
  const logs: string[] = []
  const file = logFile === undefined ? undefined : createWriteStream(logFile)
  const logger = createLogger(config, {
    write: (line: string) => void (file ? file.write(line) : logs.push(line)),
  })
  const app = await openApp({ config, logger, timing, ...(!config.traces && { tracer }) })
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
  return { url: app.address, makerUrl: app.makerAddress, logs, close }
}

export type SpawnedGateway = Awaited<ReturnType<typeof spawnGateway>>

/**
 * Starts the built gateway and resolves once it listens. The child gets `env` and our PATH, nothing
 * else of our environment. Rejects with its log lines if it exits before.
 */
export async function spawnGateway(env: Environment) {
  const child = spawn(process.execPath, ['--import', exitWithParent, builtProgram], {
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
      // Its last lines may still be in the pipe.
      await new Promise((done) => setImmediate(done))
      reject(
        new Error(`the gateway exited during startup (${signal ?? code}):\n${logs.join('\n')}`),
      )
    })
  })
  return {
    url,
    child: child as ChildProcess,
    /** The lines of its standard output and standard error. */
    logs,
    /** Resolves when the process has ended. */
    exited,
    /** Sends the signal and, except for SIGSTOP and SIGCONT, waits for the process to end. */
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
