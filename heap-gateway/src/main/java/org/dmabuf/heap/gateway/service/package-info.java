// SPDX-License-Identifier: Apache-2.0
/** State of the gateway for the service manager that started it. */
package org.dmabuf.heap.gateway.service;
