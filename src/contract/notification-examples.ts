// Notifications and announcements as requests and responses show them, for OpenAPI.

import type { Announcement, Notification, NotificationPage } from './notification.ts'

export const notificationExample: Notification = {
  id: '7e0c5b0e-5f0a-4c7e-9a53-6a6f1f0a1b2c',
  channel: 'user_alice',
  notification_type: 'success',
  title: 'Presentation ready',
  message: '“Second quarter” is ready: 8 slides.',
  data: { presentation_id: '1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed', slide_count: 8 },
  priority: 'normal',
  category: 'generation',
  action_url: 'https://app.example/slides/1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed',
  action_text: 'Open',
  read: false,
  cursor: 'MTcuNC5hOWMx',
  timestamp: '2026-11-27T09:32:10.000Z',
}

export const notificationPageExample: NotificationPage = {
  items: [notificationExample],
  next_cursor: null,
  unread: 1,
}

export const announcementExample: Announcement = {
  title: 'Maintenance on Sunday',
  message: 'Presentations wait between 06:00 and 06:30 UTC.',
  notification_type: 'info',
}

const { read: _read, cursor: _cursor, data: _data, ...members } = notificationExample

export const announcedExample = {
  ...members,
  ...announcementExample,
  channel: 'general',
  category: 'system',
  action_url: null,
  action_text: null,
}
