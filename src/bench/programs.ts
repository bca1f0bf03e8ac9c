// Programs of the bench, each a process of its own, so that what is measured is not slowed by what
// measures: started, waited for, ended; none outlives the bench. A program says where it listens in
// the gateway's own log line.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export type Program = Awaited<ReturnType<typeof startProgram>>

export interface ProgramOptions {
  /** What node is given: a file and its arguments. */
  args: string[]
  env?: Record<string, string | undefined>
  /** Where a CPU profile is left at a gentle end. */
  profileDir?: string | undefined
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const leash =
  'data:text/javascript,process.stdin.resume().on("end",()=>process.kill(process.pid,"SIGKILL")).unref()'

/** The arguments for a TypeScript file of this folder. */
export const script = (name: string): string[] => [
  '--import',
  'tsx',
  fileURLToPath(new URL(name, import.meta.url)),
]

/** Resolves once the program listens. */
export async function startProgram({ args, env = {}, profileDir }: ProgramOptions) {
  const profiling = profileDir === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileDir]
  const child = spawn(process.execPath, ['--import', leash, ...profiling, ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => undefined)
  const said: string[] = []
  const keep = (line: string) => void (said.push(line) > 200 && said.shift())
  createInterface(child.stderr).on('line', keep)
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      keep(line)
      if (line.includes('"msg":"listening"'))
        resolve((JSON.parse(line) as { address: string }).address)
    })
    void exited.then(() =>
      reject(new Error(`${args.at(-1)} ended at its start:\n${said.join('\n')}`)),
    )
  })
  return {
    url,
    pid: child.pid ?? 0,
    /** The latest lines it wrote. */
    said,
    /** At once, or gently where something is to be left in order. */
    async end({ gently = profileDir !== undefined } = {}) {
      child.kill(gently ? 'SIGTERM' : 'SIGKILL')
      await exited
    },
  }
}
