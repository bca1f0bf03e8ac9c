// Recognises the images that slides may show. SVG is not among them: it is a document with
// scripts.

import { fileTypeFromBuffer } from 'file-type'

const extensions = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
  'image/gif': 'gif',
  'image/avif': 'avif',
  'image/bmp': 'bmp',
  'image/tiff': 'tiff',
} as const

export interface ImageType {
  contentType: keyof typeof extensions
  extension: string
}

const headBytes = 64 * 1024

/** By the content; undefined for anything else. */
export async function imageTypeOf(bytes: Buffer): Promise<ImageType | undefined> {
  const { mime } = (await fileTypeFromBuffer(bytes.subarray(0, headBytes))) ?? {}
  const type = mime === 'image/apng' ? 'image/png' : mime
  const contentType = (Object.keys(extensions) as ImageType['contentType'][]).find(
    (known) => known === type,
  )
  return contentType && { contentType, extension: extensions[contentType] }
}
