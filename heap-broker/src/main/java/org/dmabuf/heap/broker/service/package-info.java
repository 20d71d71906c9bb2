// SPDX-License-Identifier: Apache-2.0
/** Services of the broker: a broker for each bundle, the monitor, and published buffers. */
package org.dmabuf.heap.broker.service;
