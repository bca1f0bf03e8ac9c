// An installation of docker-compose.yml for the check: a copy of the checkout with an .env of its
// own, a project name and ports that nothing else uses, and the stand-in in place of Presenton.

import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { findFreePort } from '../../sandbox/ports.ts'
import { openTemporaryFolder } from '../../sandbox/temporary-folder.ts'
import { createSecretSigner } from '../../sandbox/tokens.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const run = promisify(execFile)

/** Prints the names of the spans that it gets. */
const collector = `import { createServer } from 'node:http'
createServer((request, response) => {
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
    for (const { scopeSpans } of JSON.parse(Buffer.concat(chunks)).resourceSpans)
      for (const { spans } of scopeSpans) for (const { name } of spans) console.log(name)
    response.setHeader('content-type', 'application/json').end('{}')
  })
}).listen(4318)
`

/** The blocks of commands below a heading of a page. */
export function commandsOf(page: string, heading: string): string[] {
  const text = readFileSync(join(root, 'docs', page), 'utf8')
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const blocks = [...section.matchAll(/^```(?:sh|bash)\n(.*?)^```/gms)]
  if (blocks.length === 0) throw new Error(`docs/${page} has no commands below "${heading}"`)
  return blocks.map(([, block = '']) => block)
}

export type Installation = Awaited<ReturnType<typeof prepareInstallation>>

export async function prepareInstallation() {
  const folder = openTemporaryFolder('compose')
  const directory = join(folder.path, 'checkout')
  for (const file of listFiles()) {
    mkdirSync(dirname(join(directory, file)), { recursive: true })
    cpSync(join(root, file), join(directory, file))
  }
  const git = ['-c', 'user.name=check', '-c', 'user.email=check@example.com']
  // The commands ask for the commit.
  for (const args of [
    ['init', '-q'],
    ['add', '-A'],
    [...git, 'commit', '-qm', 'Check'],
  ])
    execFileSync('git', args, { cwd: directory })
  const [api = 0, files = 0, maker = 0] = await findFreePorts(3)
  const signer = createSecretSigner()
  const project = `gateway-check-${process.pid}`
  const settings: Record<string, string | number> = {
    COMPOSE_PROJECT_NAME: project,
    COMPOSE_FILE: 'docker-compose.yml:check.yml',
    GATEWAY_PORT: api,
    FILES_PORT: files,
    MAKER_PUBLISHED_PORT: maker,
    PUBLIC_URL: `http://127.0.0.1:${api}`,
    MINIO_PUBLIC_ENDPOINT: `http://127.0.0.1:${files}`,
    TRUST_PROXY: 1,
    GATEWAY_IMAGE: `${project}:local`,
    AUTH_JWKS_URL: '',
    AUTH_ISSUER: '',
    AUTH_AUDIENCE: '',
    ...signer.env,
  }

  /** Runs a block of commands as an operator does: in the checkout, in bash. */
  async function shell(commands: string): Promise<string> {
    // Where root runs the check there may be no sudo.
    const script = `set -euo pipefail\ncommand -v sudo >/dev/null || sudo() { "$@"; }\n${commands}`
    const { PATH, HOME, DOCKER_HOST, DOCKER_CONFIG } = process.env
    const env = { PATH, HOME, DOCKER_HOST, DOCKER_CONFIG } as NodeJS.ProcessEnv
    try {
      const options = { cwd: directory, env, maxBuffer: 64 * 1024 * 1024 }
      return (await run('bash', ['-c', script], options)).stdout
    } catch (error) {
      const { stderr = '', stdout = '' } = error as { stderr?: string; stdout?: string }
      throw new Error(`${commands.trim()}\n${`${stdout}\n${stderr}`.slice(-3000)}`)
    }
  }

  /** Later lines of .env replace earlier ones. */
  const set = (values: Record<string, string | number>) =>
    writeFileSync(
      join(directory, '.env'),
      `${readFileSync(join(directory, '.env'), 'utf8')}${Object.entries(values)
        .map(([name, value]) => `${name}=${value}\n`)
        .join('')}`,
    )

  await shell(commandsOf('deployment.md', 'The .env file')[0] ?? '')
  set(settings)
  // One user makes all decks of the check.
  writeFileSync(
    join(directory, 'gateway.env'),
    [
      'QUOTA_PER_HOUR=0',
      'QUOTA_PER_DAY=0',
      'MAX_QUEUED_PER_USER=1000',
      'MAX_RUNNING=40',
      'MAX_RUNNING_PER_USER=20',
      'RATE_LIMIT_PER_MINUTE=100000',
      'MAX_STREAMS_PER_USER=100',
      '',
    ].join('\n'),
  )
  await shell('echo "WEBHOOK_SECRET_KEY=$(openssl rand -base64 32)" >> gateway.env')
  await addStandIn(directory, project)
  return {
    directory,
    url: `http://127.0.0.1:${api}`,
    /** The images that only the check has. */
    images: [settings['GATEWAY_IMAGE'], `${project}-presenton`],
    sign: signer.sign,
    shell,
    set,
    /** Adds a line to an inline config, as a new release does, and changes its label. */
    changeConfig(first: string, digest: string) {
      const path = join(directory, 'docker-compose.yml')
      const text = readFileSync(path, 'utf8')
      const changed = text.replace(first, `# changed\n      ${first}`).replace(digest, 'changed')
      writeFileSync(path, changed)
    },
    remove: () => folder.remove(),
  }
}

/** What git would commit. */
function listFiles(): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate']
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean)
}

async function findFreePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await findFreePort())
  return [...ports]
}

/** Presenton needs a model that costs money, so the stand-in takes its place. */
async function addStandIn(directory: string, project: string): Promise<void> {
  const context = join(directory, 'check-presenton')
  await build({
    entryPoints: [fileURLToPath(new URL('./stand-in.ts', import.meta.url))],
    outfile: join(context, 'app', 'stand-in.mjs'),
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'warning' },
    banner: {
      js: `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url), __dirname = import.meta.dirname`,
    },
  })
  writeFileSync(join(context, 'app', 'collector.mjs'), collector)
  // The fonts that it draws slides with.
  const fonts = join(dirname(createRequire(import.meta.url).resolve('pdfkit')), 'data')
  cpSync(fonts, join(context, 'app', 'data'), { recursive: true })
  writeFileSync(
    join(context, 'Dockerfile'),
    `FROM node:24-bookworm-slim
COPY app /app
RUN mkdir -p /app_data /etc/nginx
CMD ["node", "/app/stand-in.mjs"]
`,
  )
  writeFileSync(
    join(directory, 'check.yml'),
    `services:
  presenton:
    image: ${project}-presenton
    build: ./check-presenton
  collector:
    image: ${project}-presenton
    command: [node, /app/collector.mjs]
    init: true
    networks: [edge]
    depends_on: [presenton]
`,
  )
}
