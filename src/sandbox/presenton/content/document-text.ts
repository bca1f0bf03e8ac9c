/**
 * The words of a document: of texts and of files in Office formats. The stand-in has neither OCR
 * nor a reader of PDFs, and says so in a sentence instead.
 */

import JSZip from 'jszip'

interface UploadedDocument {
  name: string
  type: string
  bytes: Buffer
}

export async function documentText({ name, type, bytes }: UploadedDocument): Promise<string> {
  if (type.startsWith('text/')) return bytes.toString('utf8')
  const isOffice = /officedocument|opendocument/.test(type)
  const words = isOffice ? await officeText(bytes).catch(() => '') : ''
  if (words !== '') return words
  const kib = Math.max(1, Math.round(bytes.length / 1024))
  return `The document ${name} has ${kib} KiB, and the stand-in cannot read it.`
}

const parts = /^(word\/document|ppt\/slides\/slide\d+|xl\/sharedStrings|content)\.xml$/

async function officeText(bytes: Buffer): Promise<string> {
  const zip = await JSZip.loadAsync(bytes)
  const texts = await Promise.all(zip.file(parts).map((part) => part.async('string')))
  return texts
    .flatMap((xml) => xml.split(/<\/(?:\w+:)?p>/))
    .map((paragraph) => paragraph.replace(/<[^>]*>/g, '').trim())
    .filter((paragraph) => paragraph !== '')
    .join('\n')
}
