// SPDX-License-Identifier: Apache-2.0
/** Services that the broker offers: a broker for each bundle, the monitor, and published buffers. */
package org.dmabuf.heap.broker.service;
