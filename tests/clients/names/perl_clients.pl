# Sends files by one of Perl's HTTP clients: CLIENT URL FOLDER NAME...
use strict;
use warnings;

my ($client, $url, $folder, @names) = @ARGV;
for my $name (@names) {
    if ($client eq 'lwp') {
        require LWP::UserAgent;
        require HTTP::Request::Common;
        my $request = HTTP::Request::Common::POST($url,
            Authorization => 'Bearer TOKEN', Content_Type => 'form-data',
            Content => [file => ["$folder/$name", $name, 'Content-Type' => 'image/png']]);
        LWP::UserAgent->new->request($request);
    } else {
        require Mojo::UserAgent;
        require Encode;
        my $form = { file => { file => "$folder/$name", filename => Encode::decode_utf8($name), 'Content-Type' => 'image/png' } };
        Mojo::UserAgent->new->post($url => { Authorization => 'Bearer TOKEN' } => form => $form);
    }
}
