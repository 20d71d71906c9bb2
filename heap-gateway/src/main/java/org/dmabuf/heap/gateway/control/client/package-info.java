// SPDX-License-Identifier: Apache-2.0
/** Client side of the control socket, which the launcher runs without a framework. It needs the JDK alone. */
package org.dmabuf.heap.gateway.control.client;
