// Starts and stops the programs of a benchmark. Each is a process of its own, so that the bench
// does not slow what it measures, and none outlives the bench.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { exitWithParent } from '../sandbox/exit-with-parent.ts'

export type Program = Awaited<ReturnType<typeof startProgram>>

export interface ProgramOptions {
  /** Arguments of `node`. */
  args: string[]
  env?: Record<string, string | undefined>
  /** The program writes a CPU profile into this folder when it stops. */
  profileDir?: string | undefined
}

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The arguments of `node` that run a TypeScript file of this folder. */
export const scriptArguments = (name: string): string[] => [
  '--import',
  'tsx',
  fileURLToPath(new URL(name, import.meta.url)),
]

/** Resolves once the program prints where it listens, in the form of the gateway's log line. */
export async function startProgram({ args, env = {}, profileDir }: ProgramOptions) {
  const profiling = profileDir === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileDir]
  const child = spawn(process.execPath, ['--import', exitWithParent, ...profiling, ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => undefined)
  const output: string[] = []
  const keepLine = (line: string) => void (output.push(line) > 200 && output.shift())
  createInterface(child.stderr).on('line', keepLine)
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      keepLine(line)
      if (line.includes('"msg":"listening"'))
        resolve((JSON.parse(line) as { address: string }).address)
    })
    void exited.then(() =>
      reject(new Error(`${args.at(-1)} exited during startup:\n${output.join('\n')}`)),
    )
  })
  return {
    url,
    pid: child.pid ?? 0,
    /** The latest 200 lines of its standard output and standard error. */
    output,
    /** Kills the program, or lets it shut down, which it needs to write a profile. */
    async stop({ isGraceful = profileDir !== undefined } = {}) {
      child.kill(isGraceful ? 'SIGTERM' : 'SIGKILL')
      await exited
    },
  }
}
