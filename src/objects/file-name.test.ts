import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contentDisposition, downloadFileName } from './file-name.ts'

describe('downloadFileName', () => {
  it.each([
    ['Quarterly results', 'Quarterly results.pptx'],
    ['Übersicht 2026 – Ziele', 'Übersicht 2026 – Ziele.pptx'],
    ['売上報告', '売上報告.pptx'],
    ['family 👨‍👩‍👧', 'family 👨‍👩‍👧.pptx'],
    ['', 'presentation.pptx'],
    [null, 'presentation.pptx'],
    ['  ..  ', 'presentation.pptx'],
    ['../../etc/passwd', '-..-etc-passwd.pptx'],
    ['C:\\Windows\\x', 'C-Windows-x.pptx'],
    ['a\r\nSet-Cookie: x=1', 'a Set-Cookie- x=1.pptx'],
    ['report.pptx', 'report.pptx'],
    ['report.PPTX', 'report.pptx'],
    ['.hidden.', 'hidden.pptx'],
    ['CON', '_CON.pptx'],
    ['lpt1.backup', '_lpt1.backup.pptx'],
    ['Console', 'Console.pptx'],
    ['gepj.\u202excod', 'gepj.xcod.pptx'],
    ['half \ud83d pair', 'half pair.pptx'],
    ['nul\u0000byte\u0085', 'nulbyte.pptx'],
  ])('names the file of title %j %j', (title, name) => {
    expect(downloadFileName(title, 'pptx')).toBe(name)
  })

  it('limits a name to 150 characters and 200 bytes and splits no character', () => {
    expect(downloadFileName('a'.repeat(400), 'pptx')).toBe(`${'a'.repeat(145)}.pptx`)
    expect(downloadFileName('é'.repeat(400), 'pdf')).toBe(`${'é'.repeat(98)}.pdf`)
    expect(downloadFileName('👨‍👩‍👧'.repeat(40), 'pdf')).toMatch(/^(👨‍👩‍👧){10}\.pdf$/u)
  })

  it('is safe for any title', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (title) => {
        const name = downloadFileName(title, 'pptx')
        expect(name).toMatch(/^[^/\\:*?"<>|\p{Cc}\p{Cs}]+\.pptx$/u)
        expect(name.length).toBeLessThanOrEqual(150)
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200)
        expect(name).not.toMatch(/^[. ]|[\u202a-\u202e\u2066-\u2069\u200e\u200f]/u)
      }),
    )
  })
})

describe('contentDisposition', () => {
  it('gives the name in ASCII and in UTF-8', () => {
    expect(contentDisposition('deck.pptx')).toBe(
      `attachment; filename="deck.pptx"; filename*=UTF-8''deck.pptx`,
    )
    expect(contentDisposition("Übersicht (50%) 'neu'.pptx")).toBe(
      `attachment; filename="Ubersicht (50_) 'neu'.pptx"; filename*=UTF-8''%C3%9Cbersicht%20%2850%25%29%20%27neu%27.pptx`,
    )
  })

  it('escapes everything that could end the header value', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (name) => {
        expect(contentDisposition(name)).toMatch(
          /^attachment; filename="[ !#-[\]-~]*"; filename\*=UTF-8''[\w.~!%-]*$/,
        )
      }),
    )
  })
})
