// SPDX-License-Identifier: Apache-2.0
/** What the broker reports, and the places it goes to. */
package org.dmabuf.heap.broker.event;
