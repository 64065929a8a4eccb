import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.EnumSet;
import javax.servlet.DispatcherType;
import org.apache.solr.servlet.CoreContainerProvider;
import org.apache.solr.servlet.SolrDispatchFilter;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.servlet.DefaultServlet;
import org.eclipse.jetty.servlet.ServletContextHandler;

/**
 * Apache Solr with one core, "ckan", at http://127.0.0.1:PORT/solr/ckan.
 *
 * <pre>java -cp '.cache/ckan/solr/*' SolrServer.java SCHEMA DIRECTORY PORT</pre>
 *
 * SCHEMA is CKAN's schema.xml, DIRECTORY is Solr's home (made if missing), PORT 0 takes a free one. The address is
 * printed once Solr answers. It lives as long as its standard input stays open, so it cannot outlive who started it.
 */
public class SolrServer {
    public static void main(String[] args) throws Exception {
        if (args.length != 3) {
            System.err.println("usage: java -cp 'JARS/*' SolrServer.java SCHEMA DIRECTORY PORT");
            System.exit(2);
        }
        Path home = Path.of(args[1]).toAbsolutePath();
        writeCore(Path.of(args[0]), home);
        System.setProperty("solr.solr.home", home.toString());

        Server server = new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[2])));
        ServletContextHandler context = new ServletContextHandler(server, "/solr");
        context.addEventListener(new CoreContainerProvider());
        context.addFilter(SolrDispatchFilter.class, "/*", EnumSet.of(DispatcherType.REQUEST));
        context.addServlet(DefaultServlet.class, "/"); // Jetty applies no filter where there is no servlet
        server.start();
        System.out.println(server.getURI().resolve("/solr/ckan"));

        while (System.in.read() != -1) {}
        server.stop();
        System.exit(0);
    }

    private static void writeCore(Path schema, Path home) throws IOException {
        Path conf = Files.createDirectories(home.resolve("ckan/conf"));
        Files.writeString(home.resolve("solr.xml"), "<solr/>");
        Files.writeString(home.resolve("ckan/core.properties"), "name=ckan\n");
        Files.copy(schema, conf.resolve("schema.xml"), StandardCopyOption.REPLACE_EXISTING);
        Files.writeString(conf.resolve("protwords.txt"), ""); // named by CKAN's schema; Solr ships its own all but empty
        Files.writeString(conf.resolve("synonyms.txt"), "");
        Files.writeString(conf.resolve("solrconfig.xml"), SOLRCONFIG);
    }

    /** CKAN commits after each write, so the only thing to configure is that its schema is read as it is. */
    private static final String SOLRCONFIG = """
            <config>
              <luceneMatchVersion>9.12</luceneMatchVersion>
              <schemaFactory class="ClassicIndexSchemaFactory"/>
              <updateHandler class="solr.DirectUpdateHandler2"/>
              <requestHandler name="/select" class="solr.SearchHandler"/>
            </config>
            """;
}
