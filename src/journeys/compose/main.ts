// `npm run compose:check` runs docker-compose.yml on a real Docker engine, with the commands that
// docs/deployment.md gives. Images that the engine has are used as they are, others are pulled or
// built. Without an engine it says so and checks nothing.

import { execFileSync } from 'node:child_process'
import { prepareInstallation } from './installation.ts'
import { checkInstallation } from './steps.ts'

function findEngine(): string | undefined {
  try {
    const args = ['version', '--format', '{{.Server.Version}}']
    const stdio = ['ignore', 'pipe', 'ignore'] as ('ignore' | 'pipe')[]
    return execFileSync('docker', args, { encoding: 'utf8', stdio, timeout: 30_000 }).trim()
  } catch {
    return undefined
  }
}

const say = (line: string) => process.stdout.write(`${line}\n`)

let passed = 0
let failed = 0

/** A step that fails does not stop the next ones. What it returns is printed. */
async function step(name: string, work: () => Promise<string | undefined>): Promise<void> {
  const startMs = performance.now()
  const seconds = () => `${((performance.now() - startMs) / 1000).toFixed(1)} s`
  try {
    const note = await work()
    passed += 1
    say(`✓ ${name} (${seconds()})${note ? `: ${note}` : ''}`)
  } catch (error) {
    failed += 1
    say(`✗ ${name} (${seconds()})\n${(error as Error).message}`)
  }
}

const engine = findEngine()
if (engine === undefined) say('No Docker engine can be reached: nothing was checked.')
else {
  say(`Docker engine ${engine}`)
  const installation = await prepareInstallation()
  try {
    await checkInstallation(installation, step)
  } finally {
    await step('takes all down', async () => {
      await installation.shell('docker compose --profile "*" down --volumes --remove-orphans')
      await installation.shell(`docker image rm --force ${installation.images.join(' ')}`)
      return undefined
    })
    installation.remove()
  }
}
say(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
