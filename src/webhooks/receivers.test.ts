import { describe, expect, it } from 'vitest'
import { createReceivers, isPublicAddress, parseReceiver, ReceiverRefused } from './receivers.ts'

const signal = AbortSignal.timeout(60_000)

const resolveTo =
  (...addresses: string[]) =>
  async (name: string) =>
    /[a-z]\.[a-z]/.test(name) ? addresses : [name]

/** Whether a URL may be saved, where names have these addresses. */
async function isAllowed(
  url: string,
  { addresses = ['93.184.215.14'], allowedNetworks = [] as string[] } = {},
): Promise<boolean> {
  const receivers = createReceivers({ allowedNetworks, resolve: resolveTo(...addresses) })
  return receivers.check(url, signal).then(
    () => true,
    (error: Error) => {
      expect(error).toBeInstanceOf(ReceiverRefused)
      for (const address of addresses) expect(error.message).not.toContain(address)
      return false
    },
  )
}

const refusedAddresses = [
  ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254'],
  ...['172.16.0.1', '172.31.255.255', '192.0.0.192', '192.0.2.1', '192.88.99.1', '192.168.1.1'],
  ...['198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1'],
  ...['255.255.255.255', '168.63.129.16', '100.100.100.200'],
  ...['::', '::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd00:ec2::254', 'ff02::1', 'fec0::1'],
  ...['::ffff:127.0.0.1', '::ffff:93.184.215.14', '::ffff:7f00:1', '::127.0.0.1', '::8.8.8.8'],
  ...['64:ff9b::7f00:1', '64:ff9b::808:808', '64:ff9b:1::1', '2002:7f00:1::', '2001::1', '100::1'],
  ...[
    '2001:0:53aa:64c:0:fbff:ae34:1',
    '2001:db8::1',
    '2001:10::1',
    '3fff::1',
    '5f00::1',
    '4000::1',
  ],
  ...['', 'no address', '127.1'],
]

describe('an address', () => {
  it.each(refusedAddresses)('%s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  it.each(['93.184.215.14', '8.8.8.8', '100.63.255.255', '172.32.0.1', '2606:4700::1111'])(
    '%s is public',
    (address) => expect(isPublicAddress(address)).toBe(true),
  )
})

describe('a URL', () => {
  it.each([
    'https://receiver.example/hook?a=b#c',
    'https://receiver.example.:8443/',
    'https://93.184.215.14/',
    'https://[2606:4700::1111]/',
  ])('%s may be saved', async (url) => expect(await isAllowed(url)).toBe(true))

  it.each([
    'http://receiver.example/',
    'ftp://receiver.example/',
    'https://user@receiver.example/',
    'https://:secret@receiver.example/',
    'https://receiver.example:0/',
    `https://${'a.'.repeat(130)}example/`,
    ...['https://127.0.0.1/', 'https://127.0.0.1./', 'https://127.1/', 'https://2130706433/'],
    ...['https://0x7f000001/', 'https://0177.0.0.1/', 'https://0x7f.1/', 'https://１２７.0.0.1/'],
    ...['https://[::1]/', 'https://[::ffff:127.0.0.1]/', 'https://[::ffff:8.8.8.8]/'],
    ...['https://[64:ff9b::8.8.8.8]/', 'https://[2002:808:808::]/', 'https://[::127.0.0.1]/'],
    ...['https://[fe80::1%25eth0]/', 'https://[fe80::1%eth0]/', 'https://169.254.169.254/latest'],
  ])('%s may not be saved', async (url) => expect(await isAllowed(url)).toBe(false))

  it('may not be saved if any address of its host is refused, or there is none', async () => {
    for (const address of refusedAddresses.slice(0, 8)) {
      const addresses = ['93.184.215.14', address]
      expect(await isAllowed('https://receiver.example/', { addresses })).toBe(false)
    }
    expect(await isAllowed('https://receiver.example/', { addresses: [] })).toBe(false)
  })

  it('may lead into allowed networks, also with http', async () => {
    const allowedNetworks = ['10.0.0.0/8', '127.0.0.1', 'fd00::/8']
    for (const host of ['10.1.2.3', '127.0.0.1', '[fd00::1]'])
      for (const scheme of ['http', 'https'])
        expect(await isAllowed(`${scheme}://${host}/`, { allowedNetworks })).toBe(true)
    for (const url of [
      'https://127.0.0.2/',
      'https://[::ffff:10.1.2.3]/',
      'https://[::ffff:127.0.0.1]/',
      'http://93.184.215.14/',
    ])
      expect(await isAllowed(url, { allowedNetworks })).toBe(false)
    const name = 'http://receiver.example/'
    expect(await isAllowed(name, { allowedNetworks, addresses: ['10.0.0.7'] })).toBe(true)
    const mixed = ['10.0.0.7', '93.184.215.14']
    expect(await isAllowed(name, { allowedNetworks, addresses: mixed })).toBe(false)
    expect(
      await isAllowed(name.replace('http', 'https'), { allowedNetworks, addresses: mixed }),
    ).toBe(true)
  })

  it('names its host with the port', () => {
    const hosts = ['https://A.example/', 'https://a.example.:8443/', 'http://[::1]/'].map(
      (url) => parseReceiver(url).host,
    )
    expect(hosts).toEqual(['a.example:443', 'a.example:8443', '::1:80'])
  })
})
