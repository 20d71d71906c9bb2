// SPDX-License-Identifier: Apache-2.0
/**
 * Protocol between a gateway and its client over the control socket, and the socket's places. It needs the JDK alone.
 */
package org.dmabuf.heap.gateway.control.wire;
