// Metrics after known traffic, and the alerts and dashboards of docker-compose.yml, which must use
// only existing metrics and labels.

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { openTemporaryFolder } from '../sandbox/temporary-folder.ts'
import { readComposeFile } from './deployment-files.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

/** Fetches and parses all samples. */
async function scrape(): Promise<Sample[]> {
  const response = await fetch(`${world.url}/metrics`)
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  const lines = (await response.text()).split('\n').filter((line) => line && !line.startsWith('#'))
  return lines.map((line) => {
    const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    expect(name, line).not.toBe('')
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, key = '', text = '']) => [key, text],
    )
    return { name, labels: Object.fromEntries(pairs), value: Number(value) }
  })
}

/** The sum of all samples with the name and the labels. */
function sum(samples: Sample[], name: string, labels: Record<string, string> = {}): number {
  return samples
    .filter(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    )
    .reduce((total, { value }) => total + value, 0)
}

const stages = ['create', 'outlines', 'prepare', 'slides', 'export', 'store']

test('a run that is followed to its end increments the metrics of every part', async () => {
  const user = await world.createUser()
  const before = await scrape()
  const { id } = await user.submit()
  const events = await (await user.subscribe(id)).rest()
  const { body } = await user.api(`/presentations/${id}`)
  await user.api('/presentations/malformed-id')
  await user.api(`/unknown/${id}`)
  const after = await scrape()
  const increase = (name: string, labels?: Record<string, string>) =>
    sum(after, name, labels) - sum(before, name, labels)

  expect(
    increase('http_request_duration_seconds_count', {
      method: 'POST',
      route: '/api/v1/presentations',
      status: '202',
    }),
  ).toBe(1)
  expect(
    increase('http_request_duration_seconds_count', {
      route: '/api/v1/presentations/:id/events',
      status: '200',
    }),
  ).toBe(1)
  expect(
    increase('http_request_duration_seconds_count', {
      route: '/api/v1/presentations/:id',
      status: '200',
    }),
  ).toBe(1)
  expect(increase('http_request_duration_seconds_count', { route: 'unknown', status: '404' })).toBe(
    1,
  )
  for (const stage of stages)
    expect(increase('gateway_stage_duration_seconds_count', { stage, outcome: 'ok' }), stage).toBe(
      1,
    )
  expect(increase('gateway_stage_duration_seconds_count')).toBe(stages.length)
  expect(increase('gateway_time_to_first_slide_seconds_count')).toBe(1)
  expect(increase('gateway_events_delivered_total')).toBe(events.length)
  expect(increase('gateway_bytes_copied_total')).toBe(body.files[0].size_bytes)
  expect(increase('gateway_runs', { status: 'completed' })).toBe(1)
  for (const operation of ['create', 'prepare', 'export', 'file']) {
    expect(
      increase('presenton_request_duration_seconds_count', { operation, outcome: 'ok' }),
      operation,
    ).toBe(1)
  }
  expect(after.filter(({ name }) => name === 'nodejs_eventloop_lag_seconds')).toHaveLength(1)
})

test('an upstream stream that is read to its `complete` counts as ok', async () => {
  const before = await scrape()
  await (await world.createUser()).generate()
  const after = await scrape()
  for (const operation of ['outlines', 'slides']) {
    const ended = (samples: Sample[]) =>
      sum(samples, 'presenton_request_duration_seconds_count', { operation, outcome: 'ok' })
    expect(ended(after) - ended(before), operation).toBe(1)
  }
})

test('gauges show running and queued presentations, open streams and the circuit state', async () => {
  const { gates } = world.presenton
  const user = await world.createUser()
  gates.hold('slides')
  const presentations = await Promise.all([1, 2, 3].map(() => user.submit()))
  // MAX_RUNNING_PER_USER is 2 by default.
  await gates.arrived('slides', 2)
  const readers = await Promise.all(presentations.map(({ id }) => user.subscribe(id)))
  const samples = await scrape()
  expect(sum(samples, 'gateway_runs', { status: 'running' })).toBe(2)
  expect(sum(samples, 'gateway_runs', { status: 'queued' })).toBe(1)
  expect(sum(samples, 'gateway_queue_depth')).toBe(1)
  expect(sum(samples, 'gateway_open_streams')).toBe(3)
  expect(
    samples
      .filter(({ name }) => name === 'gateway_breaker_state')
      .map(({ labels, value }) => [labels['state'], value]),
  ).toEqual([
    ['closed', 1],
    ['open', 0],
    ['half-open', 0],
  ])
  gates.releaseAll()
  for (const reader of readers) expect((await reader.rest()).at(-1)?.data.type).toBe('complete')
})

test('a failed attempt is counted with its problem code', async () => {
  const user = await world.createUser()
  world.presenton.faults.inject('outlines:500')
  const before = await scrape()
  await user.generate()
  const after = await scrape()
  const failed = { stage: 'outlines', outcome: 'UPSTREAM_ERROR' }
  expect(
    sum(after, 'gateway_stage_duration_seconds_count', failed) -
      sum(before, 'gateway_stage_duration_seconds_count', failed),
  ).toBe(1)
})

test('no text of a caller becomes a label', async () => {
  const user = await world.createUser('label')
  const labelsOf = (samples: Sample[]) =>
    new Set(samples.map(({ name, labels }) => JSON.stringify([name, labels])))
  const sendOddRequests = async (round: number) => {
    const odd = `odd-${round}-${'x'.repeat(round)}`
    await Promise.all([
      user.api(`/${odd}`),
      user.api(`/presentations/${odd}`),
      user.api(`/presentations/00000000-0000-4000-8000-00000000000${round}`),
      user.api(`/presentations?status=${odd}`),
      user.post({ content: odd, template: odd, language: odd, n_slides: -1 }),
      fetch(`${world.url}/app_data/images/${odd}.png`),
      fetch(`${world.url}/static/${odd}?${odd}=1`),
      fetch(`${world.url}/${odd}`, { method: 'PROPFIND' }),
    ])
  }
  await sendOddRequests(0)
  const before = labelsOf(await scrape())
  for (let round = 1; round < 8; round++) await sendOddRequests(round)
  const after = labelsOf(await scrape())
  expect([...after].filter((labels) => !before.has(labels))).toEqual([])
  expect([...after].filter((labels) => /label|odd|[0-9a-f]{8}-/.test(labels))).toEqual([])
})

describe('alerts and dashboards', () => {
  const { configs, services } = readComposeFile()
  const alerts = parse(configs['prometheus-alerts']!.content) as {
    groups: { rules: { alert: string; expr: string }[] }[]
  }
  const dashboard = JSON.parse(configs['grafana-dashboard']!.content) as {
    panels: { id: number; targets: { expr: string }[] }[]
  }

  test('use only existing metrics and labels', async () => {
    await (await world.createUser()).generate()
    const samples = await scrape()
    const expressions = [
      ...alerts.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
      ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ]
    expect(expressions.length).toBeGreaterThan(15)
    const known = new Set(samples.map(({ name }) => name))
    const named = expressions.flatMap(
      (expr) => expr.match(/\b(http|presenton|gateway|nodejs|process)_\w+/g) ?? [],
    )
    expect(named.filter((name) => !known.has(name))).toEqual([])
    for (const expr of expressions) {
      for (const [, name = '', label = ''] of expr.matchAll(/\b(\w+)\{(\w+)(?:=|!)/g)) {
        if (name !== 'up')
          expect(samples.find((sample) => sample.name === name)?.labels, expr).toHaveProperty(label)
      }
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
  })

  test('scrape the port where the gateway serves its metrics', () => {
    const { scrape_configs } = parse(configs['prometheus']!.content)
    expect(scrape_configs[0].dns_sd_configs[0]).toMatchObject({
      names: ['gateway', 'worker'],
      port: Number(services['gateway']!.environment['OPS_PORT']),
    })
  })

  test.skipIf(spawnSync('promtool', ['--version']).error)(
    'are valid for Prometheus, and the alerts fire under their conditions',
    () => {
      const folder = openTemporaryFolder('promtool')
      const write = (name: string, text: string) => writeFileSync(join(folder.path, name), text)
      write('prometheus.yml', configs['prometheus']!.content)
      write('alerts.yml', configs['prometheus-alerts']!.content)
      const firing = (alertname: string, eval_time: string, labels?: Record<string, string>) => ({
        alertname,
        eval_time,
        exp_alerts: labels ? [{ exp_labels: labels }] : [],
      })
      const goneLabels = { job: 'gateway', instance: 'a:9100', severity: 'critical' }
      write(
        'cases.yml',
        stringify({
          rule_files: ['alerts.yml'],
          tests: [
            {
              interval: '1m',
              input_series: [
                { series: 'up{job="gateway",instance="a:9100"}', values: '1 1 1 0x20' },
                {
                  series: 'gateway_breaker_state{state="open",instance="b:9100"}',
                  values: '0x5 1x20',
                },
                { series: 'gateway_queue_depth', values: '3x30' },
                { series: 'gateway_runs{status="running"}', values: '1x10 0x20' },
              ],
              alert_rule_test: [
                firing('GatewayGone', '3m'),
                {
                  ...firing('GatewayGone', '6m', goneLabels),
                  exp_alerts: [
                    { exp_labels: goneLabels, exp_annotations: summaryOf('GatewayGone') },
                  ],
                },
                firing('PresentonCircuitOpen', '8m'),
                withSummary(firing('PresentonCircuitOpen', '15m', { severity: 'critical' })),
                firing('QueueStands', '15m'),
                withSummary(firing('QueueStands', '25m', { severity: 'critical' })),
                firing('QueueLong', '25m'),
              ],
            },
            {
              interval: '1m',
              input_series: [
                { series: 'http_request_duration_seconds_count{status="200"}', values: '0+90x30' },
                { series: 'http_request_duration_seconds_count{status="500"}', values: '0+10x30' },
                {
                  series: 'gateway_stage_duration_seconds_count{stage="export",outcome="ok"}',
                  values: '0+10x60',
                },
                {
                  series:
                    'gateway_stage_duration_seconds_count{stage="export",outcome="UPSTREAM_ERROR"}',
                  values: '0+10x60',
                },
              ],
              alert_rule_test: [
                firing('GatewayErrors', '2m'),
                withSummary(firing('GatewayErrors', '15m', { severity: 'critical' })),
                {
                  ...firing('StagesFail', '40m', {}),
                  exp_alerts: [
                    {
                      exp_labels: { severity: 'warning', stage: 'export' },
                      exp_annotations: {
                        summary: 'More than 20 % of the attempts of stage export fail.',
                      },
                    },
                  ],
                },
              ],
            },
          ],
        }),
      )
      try {
        for (const args of [
          ['check', 'config', 'prometheus.yml'],
          ['test', 'rules', 'cases.yml'],
        ]) {
          const { status, stdout, stderr } = spawnSync('promtool', args, {
            cwd: folder.path,
            encoding: 'utf8',
          })
          expect({ status, output: status === 0 ? '' : stdout + stderr }).toEqual({
            status: 0,
            output: '',
          })
        }
      } finally {
        folder.remove()
      }
    },
  )

  function summaryOf(name: string) {
    const rule = alerts.groups.flatMap(({ rules }) => rules).find(({ alert }) => alert === name)
    return (rule as { annotations?: { summary: string } } | undefined)?.annotations
  }

  function withSummary(test: {
    alertname: string
    eval_time: string
    exp_alerts: { exp_labels: Record<string, string> }[]
  }) {
    return {
      ...test,
      exp_alerts: test.exp_alerts.map((expected) => ({
        ...expected,
        exp_annotations: summaryOf(test.alertname),
      })),
    }
  }
})
