// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;

import java.nio.file.Path;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.xpath.XPath;
import javax.xml.xpath.XPathConstants;
import javax.xml.xpath.XPathExpressionException;
import javax.xml.xpath.XPathFactory;
import org.junit.Before;
import org.junit.Test;
import org.w3c.dom.Document;
import org.w3c.dom.NodeList;

/** Tests of the poms: what Maven Central requires of the published ones, and which artifacts are published. */
public class PublishedPomsIT {
    private static final Path ROOT = Path.of(System.getProperty("contract")).getParent();

    private final XPath path = XPathFactory.newInstance().newXPath();
    private final TreeMap<String, Document> poms = new TreeMap<>();

    @Before
    public void read() throws Exception {
        Document parent = pom("");
        poms.put("", parent);
        for (String module : texts(parent, "/project/modules/module")) {
            poms.put(module, pom(module));
        }
    }

    @Test
    public void each_published_pom_has_what_maven_central_requires() throws Exception {
        for (String module : published()) {
            Document pom = poms.get(module);
            require(module, pom, "name");
            require(module, pom, "description");
            if (texts(pom, "/project/parent").isEmpty()) {
                require(module, pom, "url");
                require(module, pom, "licenses/license/name");
                require(module, pom, "licenses/license/url");
                require(module, pom, "developers/developer/name");
                require(module, pom, "scm/connection");
                require(module, pom, "scm/developerConnection");
                require(module, pom, "scm/url");
            }
        }
    }

    @Test
    public void the_bom_lists_each_published_bundle_and_no_other_artifact() throws Exception {
        Set<String> bundles = published();
        bundles.removeAll(Set.of("", "bom"));
        String artifacts = "/project/dependencyManagement/dependencies/dependency/artifactId";
        assertEquals(bundles, texts(poms.get("bom"), artifacts));
        assertEquals(texts(poms.get(""), "/project/version"), texts(poms.get("bom"), "/project/version"));
    }

    @Test
    public void only_the_bundles_the_parent_and_the_bom_are_published() throws Exception {
        Set<String> others = published();
        others.removeIf(module -> module.matches("|bom|(heap|device)-[a-z0-9]+"));
        assertEquals(Set.of(), others);
    }

    @Test
    public void no_module_makes_a_jar_of_its_test_classes() throws Exception {
        for (String module : poms.keySet()) {
            assertEquals(module, Set.of(), texts(poms.get(module), "//goal[text()='test-jar']"));
        }
    }

    private Set<String> published() throws XPathExpressionException {
        Set<String> modules = new TreeSet<>();
        for (String module : poms.keySet()) {
            if (!texts(poms.get(module), "/project/properties/maven.deploy.skip")
                    .contains("true")) {
                modules.add(module);
            }
        }
        return modules;
    }

    private void require(String module, Document pom, String element) throws XPathExpressionException {
        Set<String> values = texts(pom, "/project/" + element);
        assertFalse("the pom of '" + module + "' has no " + element, values.isEmpty() || values.contains(""));
    }

    private Set<String> texts(Document pom, String expression) throws XPathExpressionException {
        NodeList nodes = (NodeList) path.evaluate(expression, pom, XPathConstants.NODESET);
        Set<String> texts = new TreeSet<>();
        for (int i = 0; i < nodes.getLength(); i++) {
            texts.add(nodes.item(i).getTextContent().strip());
        }
        return texts;
    }

    private static Document pom(String module) throws Exception {
        Path file = ROOT.resolve(module).resolve("pom.xml");
        return DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(file.toFile());
    }
}
