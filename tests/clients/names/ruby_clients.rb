# Sends files by one of Ruby's HTTP clients: CLIENT URL FOLDER NAME...
client, url, folder, *names = ARGV
require client == 'net/http' ? 'net/http' : client

names.each do |name|
  path = File.join(folder, name)
  case client
  when 'net/http'
    uri = URI(url)
    request = Net::HTTP::Post.new(uri, 'Authorization' => 'Bearer TOKEN')
    request.set_form([['file', File.open(path, 'rb'), { filename: name, content_type: 'image/png' }]], 'multipart/form-data')
    Net::HTTP.start(uri.host, uri.port) { |http| http.request(request) }
  when 'rest-client'
    RestClient.post(url, { file: File.open(path, 'rb') }, { Authorization: 'Bearer TOKEN' })
  when 'httparty'
    HTTParty.post(url, headers: { 'Authorization' => 'Bearer TOKEN' }, multipart: true, body: { file: File.open(path, 'rb') })
  when 'faraday'
    connection = Faraday.new(url) do |f|
      f.request :multipart
      f.adapter :net_http
    end
    connection.post(url, { file: Faraday::UploadIO.new(path, 'image/png', name) }, 'Authorization' => 'Bearer TOKEN')
  when 'http'
    HTTP.auth('Bearer TOKEN').post(url, form: { file: HTTP::FormData::File.new(path, filename: name, content_type: 'image/png') })
  end
end
